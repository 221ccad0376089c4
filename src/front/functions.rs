//! The functions that SQL may call, by name, and how operators become functions.

use super::json;
use chrono::{DateTime, Utc};
use datafusion_common::Result;
use datafusion_common::alias::AliasGenerator;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::planner::ExprPlanner;
use datafusion_expr::registry::{FunctionRegistry, MemoryFunctionRegistry};
use datafusion_optimizer::OptimizerConfig;
use std::sync::Arc;

/// Functions, operators and options: what stays the same through a session.
pub(super) struct Functions {
    pub(super) registry: MemoryFunctionRegistry,
    pub(super) planners: Vec<Arc<dyn ExprPlanner>>,
    pub(super) options: Arc<ConfigOptions>,
    alias: Arc<AliasGenerator>,
}

impl Functions {
    pub(super) fn new() -> Result<Functions> {
        let options = options();
        let registry = registry(&options)?;
        Ok(Functions { registry, planners: planners(), options: Arc::new(options), alias: Arc::default() })
    }

    /// The names of all functions that return a value a row, a group or a window.
    pub(super) fn names(&self) -> Vec<String> {
        let r = &self.registry;
        let mut names: Vec<String> = r.udfs().into_iter().chain(r.udafs()).chain(r.udwfs()).collect();
        names.extend(r.higher_order_function_names());
        names.sort();
        names.dedup();
        names
    }
}

/// Text is `Utf8View`; nulls sort last in both directions; numbers with a fraction are floats.
fn options() -> ConfigOptions {
    let mut options = ConfigOptions::default();
    options.sql_parser.map_string_types_to_utf8view = true;
    options.sql_parser.default_null_ordering = "nulls_last".into();
    options.sql_parser.collect_spans = true;
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = true;
    options
}

fn registry(options: &ConfigOptions) -> Result<MemoryFunctionRegistry> {
    let mut registry = MemoryFunctionRegistry::new();
    let plain = datafusion_functions::all_default_functions();
    let nested = datafusion_functions_nested::all_default_nested_functions();
    for f in plain.into_iter().chain(nested).chain(json::functions()) {
        // now() and to_timestamp() hold the time zone.
        registry.register_udf(f.inner().with_updated_config(options).map(Arc::new).unwrap_or(f))?;
    }
    for f in datafusion_functions_nested::all_default_higher_order_functions() {
        registry.register_higher_order_function(f)?;
    }
    for f in datafusion_functions_aggregate::all_default_aggregate_functions() {
        registry.register_udaf(f)?;
    }
    for f in datafusion_functions_window::all_default_window_functions() {
        registry.register_udwf(f)?;
    }
    aliases(&mut registry)?;
    Ok(registry)
}

/// Names that people who come from DuckDB, Polars or pandas type.
const ALIASES: &[(&str, &str)] = &[
    ("character_length", "len"),
    ("date_part", "datepart"),
    ("date_trunc", "datetrunc"),
    ("regexp_like", "regexp_matches"),
    ("split_part", "splitpart"),
    ("strpos", "position"),
    ("levenshtein", "edit_distance"),
    ("array_to_string", "list_aggr_string"),
    ("random", "rand"),
];

const AGGREGATE_ALIASES: &[(&str, &str)] = &[
    ("approx_distinct", "approx_count_distinct"),
    ("percentile_cont", "quantile_cont"),
    ("array_agg", "list"),
    ("first_value", "first"),
    ("last_value", "last"),
    ("first_value", "any_value"),
    ("string_agg", "group_concat"),
    ("stddev", "std"),
    ("bool_and", "every"),
];

fn aliases(registry: &mut MemoryFunctionRegistry) -> Result<()> {
    for (name, alias) in ALIASES {
        if let (Ok(f), Err(_)) = (registry.udf(name), registry.udf(alias)) {
            registry.register_udf(Arc::new(f.as_ref().clone().with_aliases([*alias])))?;
        }
    }
    for (name, alias) in AGGREGATE_ALIASES {
        if let (Ok(f), Err(_)) = (registry.udaf(name), registry.udaf(alias)) {
            registry.register_udaf(Arc::new(f.as_ref().clone().with_aliases([*alias])))?;
        }
    }
    Ok(())
}

/// In the order that DataFusion's own session asks them, ours first.
fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![
        Arc::new(json::JsonPlanner),
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
