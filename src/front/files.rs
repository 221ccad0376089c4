//! Files as tables: `FROM 'logs/*.csv.gz'`, `FROM read_csv('x.csv', delimiter => ';')`.
//!
//! Life of a name in FROM:
//!
//! 1. A quoted name that is no table of the session and [looks like a path](is_path), or a call of a `read_*` function,
//!    becomes a [`TableDef`]: paths, the format if the function says it, options as text (lists and structs as JSON).
//! 2. The catalog opens the definition, or finds that it has.
//! 3. The scan is named after the file, without directory and endings, so that `lineitem.l_tax` works.
//!
//! TABLESAMPLE, which DataFusion would ignore, is refused here, and what else it has no words for.

use super::catalog::{Catalog, Source, TableRef};
use super::context::external;
use super::custom::{Custom, TableFunction};
use super::extra::{Extra, Kind};
use super::nearest::nearest;
use super::{around, asof, series, share, sniffed};
use crate::error::{Error, Result};
use crate::formats::{FORMATS, TableDef};
use crate::io::url::path_of;
use datafusion_common::TableReference;
use datafusion_expr::LogicalPlanBuilder;
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_sql::sqlparser::ast::{self, Expr, FunctionArg, FunctionArgExpr, TableAlias, TableFactor, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// Formats by what people call them in `read_*`.
const SPELLINGS: &[(&str, &str)] = &[
    ("csv", "csv"),
    ("csv_auto", "csv"),
    ("json", "json"),
    ("json_auto", "json"),
    ("ndjson", "json"),
    ("ndjson_auto", "json"),
    ("parquet", "parquet"),
];

/// What a path in FROM is called where it is read with options; nobody can type it.
const ANY: &str = "read any files";

/// The function that tells how a file would be read.
const SNIFF: &str = "sniff_csv";

/// Whether a quoted name is a path rather than a table's name.
pub(super) fn is_path(name: &str) -> bool {
    name == "-" || name.contains(['/', '\\', '*', '?']) || has_ending(name)
}

fn has_ending(name: &str) -> bool {
    const MORE: [&str; 16] = [
        "csv", "tsv", "txt", "log", "json", "jsonl", "ndjson", "parquet", "gz", "gzip", "zst", "zstd", "bz2", "xz",
        "lz4", "sz",
    ];
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let ending = ending.to_lowercase();
    let known = FORMATS.iter().flat_map(|f| f.endings()).any(|e| *e == ending);
    !stem.is_empty() && (known || MORE.contains(&ending.as_str()))
}

/// The names of the functions that make tables.
pub(super) fn function_names() -> Vec<String> {
    let mut names: Vec<String> = FORMATS.iter().map(|f| format!("read_{}", f.name())).collect();
    names.extend(SPELLINGS.iter().map(|(s, _)| format!("read_{s}")));
    names.extend(["generate_series".into(), "range".into(), SNIFF.into()]);
    names.sort();
    names.dedup();
    names
}

/// The format that a `read_*` function reads.
fn reads(function: &str) -> Option<String> {
    let function = function.to_lowercase();
    let prefixed = function.strip_prefix("read_").or_else(|| function.strip_prefix("scan_"));
    let spelled = prefixed.or_else(|| function.strip_suffix("_scan"))?;
    let known = SPELLINGS.iter().find(|(s, _)| *s == spelled).map(|(_, f)| f.to_string());
    known.or_else(|| FORMATS.iter().find(|f| f.name() == spelled).map(|f| f.name().to_string()))
}

/// Makes scans of files.
#[derive(Debug)]
pub(super) struct FilesPlanner {
    catalog: Arc<Catalog>,
    custom: Custom,
}

impl FilesPlanner {
    pub(super) fn new(catalog: Arc<Catalog>, custom: Custom) -> Self {
        FilesPlanner { catalog, custom }
    }

    fn scan(&self, def: TableDef, alias: Option<TableAlias>) -> datafusion_common::Result<RelationPlanning> {
        let name = stem(&def);
        let path = def.paths.first().cloned().unwrap_or_default();
        let table = self.catalog.open(def).map_err(|error| external(advised(error, &path)))?;
        let source = Source::new(TableRef::Files(table));
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

/// An error of a file that is not there names the nearest.
fn advised(error: Error, path: &str) -> Error {
    let missing = error.advice().is_none() && error.message().ends_with(": no such file or directory");
    match missing.then(|| around::near_path(path)).flatten() {
        Some(near) => error.advise(format!("did you mean '{near}'?")),
        None => error,
    }
}

impl FilesPlanner {
    /// A scan of one row: what was found of a file.
    fn sniff(&self, args: &[FunctionArg], alias: Option<TableAlias>) -> datafusion_common::Result<RelationPlanning> {
        let made = definition(SNIFF, "csv".into(), args)
            .and_then(|def| sniffed::supply(&def, &self.catalog.pipes, self.catalog.budget.get()));
        let made = made.map_err(external)?;
        let source = Source::new(TableRef::Supplied(Arc::new(made)));
        let plan = LogicalPlanBuilder::scan(TableReference::bare(SNIFF), source, None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

impl RelationPlanner for FilesPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> datafusion_common::Result<RelationPlanning> {
        refuse(&relation).map_err(external)?;
        match relation {
            TableFactor::Table { name, alias, args: Some(args), .. } if is_known(&name) => {
                let function = function(&name).unwrap_or_default();
                match reads(&function) {
                    _ if function == SNIFF => self.sniff(&args.args, alias),
                    _ if function == ANY => {
                        let def = definition(ANY, String::new(), &args.args).map_err(external)?;
                        self.scan(TableDef { format: None, ..def }, alias)
                    }
                    Some(format) => self.scan(definition(&function, format, &args.args).map_err(external)?, alias),
                    None => series::plan(&function, args.args, alias, context),
                }
            }
            TableFactor::Table { name, alias, args: Some(args), .. } if self.own(&name).is_some() => {
                self.call(&name, &args.args, alias, context)
            }
            TableFactor::Table { name, alias, args: None, .. } if path(&name).is_some_and(|p| self.is_new(&p)) => {
                let paths = vec![path(&name).unwrap_or_default()];
                self.scan(TableDef { paths, ..TableDef::default() }, alias)
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => match share::number(alias.as_ref()) {
                Some(number) => {
                    let query = context.plan(TableFactor::Derived { lateral, subquery, alias: None, sample })?;
                    let plan = Extra::plan(Kind::Shared(number), vec![query], Vec::new())?;
                    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
                }
                None => {
                    let same = TableFactor::Derived { lateral, subquery, alias, sample };
                    Ok(RelationPlanning::Original(Box::new(same)))
                }
            },
            TableFactor::NestedJoin { table_with_joins, alias } => match asof::special(alias.as_ref()) {
                Some(special) => {
                    let right = context.plan(TableFactor::NestedJoin { table_with_joins, alias: None })?;
                    let plan = Extra::plan(Kind::Side(special), vec![right], Vec::new())?;
                    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
                }
                None => Ok(RelationPlanning::Original(Box::new(TableFactor::NestedJoin { table_with_joins, alias }))),
            },
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

impl FilesPlanner {
    /// The program's function of that name.
    fn own(&self, name: &ast::ObjectName) -> Option<(String, Arc<TableFunction>)> {
        let name = function(name)?;
        self.custom.table(&name).map(|f| (name, f))
    }

    /// A scan of what the program's function makes of constants.
    fn call(
        &self,
        name: &ast::ObjectName,
        args: &[FunctionArg],
        alias: Option<TableAlias>,
        context: &mut dyn RelationPlannerContext,
    ) -> datafusion_common::Result<RelationPlanning> {
        let (name, function) = self.own(name).ok_or_else(|| external(Error::internal("a function that was there")))?;
        let values = series::constants(&name, args, context)?;
        let supply = function.call(&name, &values).map_err(external)?;
        let source = Source::new(TableRef::Supplied(supply));
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }

    fn is_new(&self, path: &str) -> bool {
        self.catalog.get(path).is_none()
    }
}

fn refuse(relation: &TableFactor) -> Result<()> {
    match relation {
        TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
            Err(Error::unsupported("TABLESAMPLE").advise("filter by WHERE random() < 0.1"))
        }
        TableFactor::Table { with_ordinality: true, .. } => Err(Error::unsupported("WITH ORDINALITY")),
        TableFactor::Table { version: Some(_), .. } => Err(Error::unsupported("a table's version")),
        TableFactor::Pivot { .. } => Err(Error::unsupported("PIVOT").advise("write sum(x) FILTER (WHERE y = ..)")),
        TableFactor::Unpivot { .. } => Err(Error::unsupported("UNPIVOT").advise("write UNION ALL")),
        TableFactor::MatchRecognize { .. } => Err(Error::unsupported("MATCH_RECOGNIZE")),
        _ => Ok(()),
    }
}

/// Whether a called table function is one of this file's.
fn is_known(name: &ast::ObjectName) -> bool {
    function(name).is_some_and(|f| f == SNIFF || f == ANY || reads(&f).is_some() || series::is_series(&f))
}

/// The name of a called function, if it has one part.
fn function(name: &ast::ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(|i| i.value.to_lowercase()),
        _ => None,
    }
}

/// Asks a scan of files for the column `filename`, unless it says something about it; false where this is no such scan.
/// `is_table` knows the tables of the session.
pub(super) fn with_filename(factor: &mut TableFactor, is_table: impl Fn(&str) -> bool) -> bool {
    let TableFactor::Table { name, args, .. } = factor else { return false };
    match args {
        Some(args) if function(name).is_some_and(|f| reads(&f).is_some()) => {
            let said = |arg: &FunctionArg| match arg {
                FunctionArg::Named { name, .. } => name.value.eq_ignore_ascii_case("filename"),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp { left, .. })) => {
                    left.to_string().eq_ignore_ascii_case("filename")
                }
                _ => false,
            };
            if args.args.iter().any(said) {
                return false;
            }
            args.args.push(wanted());
            true
        }
        None => match path(name).filter(|path| !is_table(path)) {
            Some(path) => {
                let path = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::value(Value::SingleQuotedString(path))));
                *name = ast::ObjectName::from(vec![ast::Ident::with_quote('"', ANY)]);
                *args = Some(ast::TableFunctionArgs { args: vec![path, wanted()], settings: None });
                true
            }
            None => false,
        },
        Some(_) => false,
    }
}

/// `filename => true`.
fn wanted() -> FunctionArg {
    let arg = FunctionArgExpr::Expr(Expr::value(Value::Boolean(true)));
    FunctionArg::Named { name: ast::Ident::new("filename"), arg, operator: ast::FunctionArgOperator::RightArrow }
}

/// The path, if the name is one: quoted, and looking like it.
fn path(name: &ast::ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => {
            let ident = part.as_ident()?;
            let is = ident.quote_style.is_some() && (ident.quote_style == Some('\'') || is_path(&ident.value));
            is.then(|| ident.value.clone())
        }
        _ => None,
    }
}

/// The name of a scan: the first file's, without directory and endings.
fn stem(def: &TableDef) -> String {
    name_of(def.paths.first().map_or("", String::as_str))
}

/// The name by which the columns of a file can be qualified.
pub(super) fn name_of(path: &str) -> String {
    let file = path_of(path).rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.split('.').next().unwrap_or(file);
    let plain = !stem.is_empty() && !stem.contains(['*', '?', '[', '{']);
    if plain { stem.to_lowercase() } else { "files".to_string() }
}

/// The definition that a call of a `read_*` function makes.
fn definition(function: &str, format: String, args: &[FunctionArg]) -> Result<TableDef> {
    let mut def = TableDef { format: Some(format), ..TableDef::default() };
    for arg in args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp {
                left,
                op: ast::BinaryOperator::Eq,
                right,
            })) if matches!(**left, Expr::Identifier(_)) => {
                option(&mut def, &left.to_string(), right)?;
            }
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if def.paths.is_empty() => {
                def.paths = paths(function, &constant(value)?)?;
            }
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
                option(&mut def, &name.value, value)?;
            }
            FunctionArg::ExprNamed { name, arg: FunctionArgExpr::Expr(value), .. } => {
                option(&mut def, &name.to_string(), value)?;
            }
            other => {
                return Err(Error::query(format!("{function} cannot take {other}"))
                    .advise(format!("{function}('path', option => value)")));
            }
        }
    }
    match def.paths.is_empty() {
        true => Err(Error::query(format!("{function} wants a path")).advise(format!("{function}('data/*.csv')"))),
        false => Ok(def),
    }
}

fn option(def: &mut TableDef, name: &str, value: &Expr) -> Result<()> {
    let name = name.to_lowercase();
    let text = option_text(value)?;
    match def.options.insert(name.clone(), text) {
        Some(_) => Err(Error::query(format!("the option {name} is given twice"))),
        None => Ok(()),
    }
}

/// `SELECT * FROM read_csv('path', option => value)`: what `COPY t FROM 'path' (..)` loads.
pub(super) fn reading(
    path: &str,
    format: Option<&str>,
    options: &std::collections::BTreeMap<String, String>,
) -> Result<Box<ast::Query>> {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let ending = || {
        let plain = crate::io::Compression::of_name(path_of(path)).1;
        FORMATS.iter().find(|f| f.endings().iter().any(|e| plain.to_lowercase().ends_with(&format!(".{e}"))))
    };
    let format = match format {
        Some(format) => format.to_string(),
        None => ending().map_or_else(|| "csv".to_string(), |f| f.name().to_string()),
    };
    let mut args = vec![quote(path)];
    if !options.keys().any(|name| name.starts_with("hive")) {
        // A table is filled from what is in the file, wherever the file lies.
        args.push("hive_partitioning => false".to_string());
    }
    args.extend(options.iter().map(|(name, value)| format!("{name} => {}", quote(value))));
    super::parse::query(&format!("SELECT * FROM read_{format}({})", args.join(", ")))
}

/// The text of an option's value: texts bare, everything else as JSON.
pub(super) fn text_of(value: Json) -> String {
    match value {
        Json::String(s) => s,
        other => other.to_string(),
    }
}

/// The text of an option: as [`text_of`] a [`constant`], but maps keep the order of their keys.
fn option_text(value: &Expr) -> Result<String> {
    let pairs: Vec<(String, &Expr)> = match value {
        Expr::Dictionary(fields) => fields.iter().map(|f| (f.key.value.clone(), &*f.value)).collect(),
        Expr::Map(map) => {
            let entries = map.entries.iter().map(|e| Ok((text_of(constant(&e.key)?), &*e.value)));
            entries.collect::<Result<_>>()?
        }
        Expr::Nested(inner) => return option_text(inner),
        other => return Ok(text_of(constant(other)?)),
    };
    let pair = |(key, value): &(String, &Expr)| Ok(format!("{}:{}", Json::String(key.clone()), constant(value)?));
    Ok(format!("{{{}}}", pairs.iter().map(pair).collect::<Result<Vec<_>>>()?.join(",")))
}

fn paths(function: &str, value: &Json) -> Result<Vec<String>> {
    let wrong = || Error::query(format!("{function} wants a path or a list of paths, not {value}"));
    match value {
        Json::String(s) => Ok(vec![s.clone()]),
        Json::Array(items) if !items.is_empty() => {
            items.iter().map(|v| v.as_str().map(str::to_string).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

/// A literal, list, struct or map as JSON.
pub(super) fn constant(expr: &Expr) -> Result<Json> {
    let wrong = || Error::query(format!("an option's value must be a constant, not {expr}"));
    Ok(match expr {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => serde_json::from_str(n).unwrap_or_else(|_| Json::String(n.clone())),
            Value::Boolean(b) => Json::Bool(*b),
            Value::Null => Json::Null,
            other => Json::String(other.clone().into_string().ok_or_else(wrong)?),
        },
        Expr::Identifier(i) => Json::String(i.value.clone()),
        Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => {
            serde_json::from_str(&format!("-{expr}")).map_err(|_| wrong())?
        }
        Expr::Nested(inner) => constant(inner)?,
        Expr::Array(list) => Json::Array(list.elem.iter().map(constant).collect::<Result<_>>()?),
        Expr::Dictionary(fields) => {
            let pairs = fields.iter().map(|f| Ok((f.key.value.clone(), constant(&f.value)?)));
            Json::Object(pairs.collect::<Result<_>>()?)
        }
        Expr::Map(map) => {
            let pairs = map.entries.iter().map(|e| Ok((text_of(constant(&e.key)?), constant(&e.value)?)));
            Json::Object(pairs.collect::<Result<_>>()?)
        }
        _ => return Err(wrong()),
    })
}

/// Says which function was meant.
pub(super) fn unknown_format(format: &str) -> Error {
    let error = Error::query(format!("no format \"{format}\""));
    match nearest(format, FORMATS.iter().map(|f| f.name())) {
        Some(near) => error.advise(format!("did you mean {near}?")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition that `FROM call` makes.
    fn of(call: &str) -> Result<TableDef> {
        let TableFactor::Table { name, args: Some(args), .. } = super::super::parse::table_factor(call)? else {
            panic!("{call} is no call")
        };
        let function = function(&name).unwrap();
        definition(&function, reads(&function).unwrap(), &args.args)
    }

    #[test]
    fn arguments_become_options() {
        let def = of("read_csv('x', delimiter => ';', header = false, skip := -2, names => ['a','b'], \
             types => {'b': 'int', 'a': 'text'}, more => map {'b': 1.5}, Quote => null)")
        .unwrap();
        assert_eq!((def.format.as_deref(), def.paths.as_slice()), (Some("csv"), &["x".to_string()][..]));
        let wanted = [
            ("delimiter", ";"),
            ("header", "false"),
            ("more", r#"{"b":1.5}"#),
            ("names", r#"["a","b"]"#),
            ("quote", "null"),
            ("skip", "-2"),
            ("types", r#"{"b":"int","a":"text"}"#),
        ];
        assert_eq!(def.options, wanted.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect());
        assert_eq!(of("read_ndjson(['a', 'b'])").unwrap().paths, ["a", "b"]);
        assert_eq!(of("read_ndjson(['a', 'b'])").unwrap().format.as_deref(), Some("json"));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for call in [
            "read_csv()",
            "read_csv(5)",
            "read_csv([])",
            "read_csv('a', 'b')",
            "read_csv('a', x => y + 1)",
            "read_csv('a', x => 1, X => 2)",
            "read_csv(['a', 5])",
        ] {
            let got = of(call);
            assert!(matches!(&got, Err(e) if e.kind() == crate::ErrorKind::Query), "{call}: {got:?}");
        }
    }

    #[test]
    fn paths_look_like_paths() {
        for path in ["a.csv", "a/b", "*.gz", "-", "x.csv.zst", "A.PARQUET"] {
            assert!(is_path(path), "{path}");
        }
        for name in ["a", "lineitem", ".csv", "a.b", "main.t"] {
            assert!(!is_path(name), "{name}");
        }
        let def = |p: &str| TableDef { paths: vec![p.into()], ..TableDef::default() };
        assert_eq!(stem(&def("/x/LineItem.csv.gz")), "lineitem");
        assert_eq!(stem(&def("/x/*.csv")), "files");
    }
}
