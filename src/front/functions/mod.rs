//! The functions that SQL may call, by name, and how operators become functions.
//!
//! Scalar functions come first from our own [table](table), whose rows have DuckDB's names and semantics; what is not
//! there comes from DataFusion's libraries, under the names that people type ([`ALIASES`]).

mod args;
pub(super) mod cast;
mod json;
mod likes;
mod lists;
mod numbers;
mod planner;
pub(super) mod row;
mod session;
pub(super) mod syntax;
pub(super) mod table;
mod text;
mod times;

#[cfg(test)]
mod tests;

pub(super) use table::named;

use super::arithmetic;
use super::custom::{Custom, Function};
use super::settings::Settings;
use chrono::{DateTime, Utc};
use datafusion_common::Result;
use datafusion_common::alias::AliasGenerator;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::planner::ExprPlanner;
use datafusion_expr::registry::{FunctionRegistry, MemoryFunctionRegistry};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use datafusion_optimizer::OptimizerConfig;
use std::collections::HashMap;
use std::sync::Arc;

/// Functions, operators and options: what stays the same through a session.
pub(super) struct Functions {
    registry: MemoryFunctionRegistry,
    ours: HashMap<String, Arc<ScalarUDF>>,
    lambdas: HashMap<String, Arc<HigherOrderUDF>>,
    also: Aliases,
    pub(super) planners: Vec<Arc<dyn ExprPlanner>>,
    pub(super) options: Arc<ConfigOptions>,
    alias: Arc<AliasGenerator>,
    /// Those of the program.
    pub(super) custom: Custom,
}

/// Functions by their other names: DataFusion's registry knows only one.
#[derive(Default)]
struct Aliases {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
    window: HashMap<String, Arc<WindowUDF>>,
}

impl Functions {
    /// The functions of a session with these settings, and those of the program.
    pub(super) fn new(settings: &Settings, custom: Custom) -> Result<Functions> {
        let options = options(settings)?;
        let (registry, mut also) = registry(&options)?;
        also.add(&registry);
        let mut ours = HashMap::new();
        for f in table::functions() {
            ours.extend(f.aliases().iter().map(|a| (a.clone(), Arc::clone(&f))));
            ours.insert(f.name().to_string(), f);
        }
        let mut lambdas = HashMap::new();
        for f in lists::lambda::functions() {
            lambdas.extend(f.aliases().iter().map(|a| (a.clone(), Arc::clone(&f))));
            lambdas.insert(f.name().to_string(), f);
        }
        Ok(Functions {
            registry,
            ours,
            lambdas,
            also,
            planners: planners(settings),
            options: Arc::new(options),
            alias: Arc::default(),
            custom,
        })
    }

    pub(super) fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let ours = || self.ours.get(name).cloned();
        ours()
            .or_else(|| self.registry.udf(name).ok())
            .or_else(|| self.also.scalar.get(name).cloned())
            .or_else(|| self.custom.scalar(name))
    }

    pub(super) fn higher_order(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        let ours = || self.lambdas.get(name).cloned();
        ours()
            .or_else(|| self.registry.higher_order_function(name).ok())
            .or_else(|| self.also.higher_order.get(name).cloned())
    }

    pub(super) fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let built_in = self.registry.udaf(name).ok().or_else(|| self.also.aggregate.get(name).cloned());
        built_in.or_else(|| self.custom.aggregate(name))
    }

    pub(super) fn window(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.registry.udwf(name).ok().or_else(|| self.also.window.get(name).cloned())
    }

    /// The names of all functions that are not the program's.
    pub(super) fn built_in(&self) -> Vec<String> {
        self.built_in_by_kind().into_iter().flatten().collect()
    }

    /// The names of all scalar functions, of functions of functions, of aggregates, and of window functions.
    pub(super) fn names_by_kind(&self) -> [Vec<String>; 4] {
        let [mut scalar, higher_order, mut aggregate, window] = self.built_in_by_kind();
        scalar.extend(self.custom.names(|f| matches!(f, Function::Scalar(_))));
        aggregate.extend(self.custom.names(|f| matches!(f, Function::Aggregate(_))));
        [scalar, higher_order, aggregate, window]
    }

    fn built_in_by_kind(&self) -> [Vec<String>; 4] {
        let (r, also) = (&self.registry, &self.also);
        [
            r.udfs().into_iter().chain(also.scalar.keys().cloned()).chain(self.ours.keys().cloned()).collect(),
            r.higher_order_function_names()
                .into_iter()
                .chain(also.higher_order.keys().cloned())
                .chain(self.lambdas.keys().cloned())
                .collect(),
            r.udafs().into_iter().chain(also.aggregate.keys().cloned()).collect(),
            r.udwfs().into_iter().chain(also.window.keys().cloned()).collect(),
        ]
    }

    /// The names of all functions, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names_by_kind().into_iter().flatten().collect();
        names.retain(|name| !name.contains(' '));
        names.sort();
        names.dedup();
        names
    }
}

/// Text is `Utf8View`; nulls sort last in both directions unless the session says otherwise; numbers with a fraction are
/// floats.
fn options(settings: &Settings) -> Result<ConfigOptions> {
    let mut options = ConfigOptions::default();
    options.sql_parser.map_string_types_to_utf8view = true;
    options.sql_parser.default_null_ordering = settings.null_order.into();
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = settings.time_zone.clone().or_else(|| Some("UTC".into()));
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = true;
    // The order of a subquery counts; `unseen` removes the sorts that nobody sees.
    options.sql_parser.enable_subquery_sort_elimination = false;
    Ok(options)
}

fn registry(options: &ConfigOptions) -> Result<(MemoryFunctionRegistry, Aliases)> {
    let mut registry = MemoryFunctionRegistry::new();
    let mut also = Aliases::default();
    let plain = datafusion_functions::all_default_functions();
    let nested = datafusion_functions_nested::all_default_nested_functions();
    for f in plain.into_iter().chain(nested) {
        // now() and to_timestamp() hold the time zone.
        let f = f.inner().with_updated_config(options).map(Arc::new).unwrap_or(f);
        also.scalar.extend(f.aliases().iter().map(|a| (a.clone(), Arc::clone(&f))));
        registry.register_udf(f)?;
    }
    for f in datafusion_functions_nested::all_default_higher_order_functions() {
        also.higher_order.extend(f.aliases().iter().map(|a| (a.clone(), Arc::clone(&f))));
        registry.register_higher_order_function(f)?;
    }
    for f in datafusion_functions_aggregate::all_default_aggregate_functions() {
        also.aggregate.extend(f.aliases().iter().map(|a| (a.clone(), Arc::clone(&f))));
        registry.register_udaf(f)?;
    }
    registry.register_udaf(super::average::function())?;
    for f in super::aggregates::functions() {
        also.aggregate.remove(f.name());
        registry.register_udaf(f)?;
    }
    for f in datafusion_functions_window::all_default_window_functions() {
        also.window.extend(f.aliases().iter().map(|a| (a.clone(), Arc::clone(&f))));
        registry.register_udwf(f)?;
    }
    Ok((registry, also))
}

/// Names that people who come from DuckDB, Polars or pandas type.
const ALIASES: &[(&str, &str)] = &[
    ("random", "rand"),
    ("coalesce", "ifnull"),
    ("struct", "row"),
    ("uuid", "gen_random_uuid"),
    ("uuid", "uuidv4"),
    ("now", "get_current_timestamp"),
    ("now", "transaction_timestamp"),
];

const AGGREGATE_ALIASES: &[(&str, &str)] = &[
    ("array_agg", "list"),
    ("first_value", "first"),
    ("last_value", "last"),
    ("first_value", "arbitrary"),
    ("count", "count_star"),
    ("var", "variance"),
    ("stddev", "std"),
    ("bool_and", "every"),
    ("grouping", "grouping_id"),
];

/// Aggregates that are functions of their own over a window.
const WINDOW_ALIASES: &[(&str, &str)] = &[("first_value", "first"), ("last_value", "last")];

impl Aliases {
    /// The names that DataFusion does not know, where it does not mean something else by them.
    fn add(&mut self, registry: &MemoryFunctionRegistry) {
        for (name, alias) in ALIASES {
            if let (Ok(f), Err(_)) = (registry.udf(name), registry.udf(alias)) {
                self.scalar.entry(alias.to_string()).or_insert(f);
            }
        }
        for (name, alias) in AGGREGATE_ALIASES {
            if let (Ok(f), Err(_)) = (registry.udaf(name), registry.udaf(alias)) {
                self.aggregate.entry(alias.to_string()).or_insert(f);
            }
        }
        for (name, alias) in WINDOW_ALIASES {
            if let (Ok(f), Err(_)) = (registry.udwf(name), registry.udwf(alias)) {
                self.window.entry(alias.to_string()).or_insert(f);
            }
        }
    }
}

/// In the order that DataFusion's own session asks them, ours first.
fn planners(settings: &Settings) -> Vec<Arc<dyn ExprPlanner>> {
    vec![
        Arc::new(planner::OurPlanner),
        Arc::new(arithmetic::Arithmetic { integer_division: settings.integer_division }),
        Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()),
        Arc::new(datafusion_functions_nested::planner::NestedFunctionPlanner),
        Arc::new(datafusion_functions_nested::planner::FieldAccessPlanner),
        Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
        Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
        Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner),
        Arc::new(datafusion_functions_window::planner::WindowFunctionPlanner),
    ]
}

/// What the optimizer asks for during one query.
pub(super) struct QueryConfig<'a> {
    pub(super) functions: &'a Functions,
    pub(super) start: DateTime<Utc>,
}

impl OptimizerConfig for QueryConfig<'_> {
    fn query_execution_start_time(&self) -> Option<DateTime<Utc>> {
        Some(self.start)
    }

    fn alias_generator(&self) -> &Arc<AliasGenerator> {
        &self.functions.alias
    }

    fn options(&self) -> Arc<ConfigOptions> {
        Arc::clone(&self.functions.options)
    }

    /// Must be there: the rule for DISTINCT ON unwraps it.
    fn function_registry(&self) -> Option<&dyn FunctionRegistry> {
        Some(&self.functions.registry)
    }
}
