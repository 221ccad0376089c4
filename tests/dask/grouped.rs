//! Aggregates: of everything, of groups, each with each.

use super::data::{Answer, Data, Shape, c, column, i, list, skip, text};
use super::eval::{Eval, is_node, labels, literal, pairs, projection};
use super::joined::beside;
use arrow::datatypes::DataType;
use datafusion_expr::Expr;
use partita::prelude::*;
use serde_json::Value;

/// What an aggregate is asked for beside its name.
#[derive(Clone, Copy)]
struct How {
    skips_nulls: bool,
    ddof: u64,
}

impl How {
    fn of(args: &Value) -> How {
        How { skips_nulls: args["skipna"] != false, ddof: args["ddof"].as_u64().unwrap_or(1) }
    }
}

fn float(expr: Expr) -> Expr {
    cast(expr, DataType::Float64)
}

/// An aggregate by pandas' name. A sum of nothing is 0 there, a product 1.
fn aggregate(eval: &Eval<'_>, name: &str, expr: Expr, data_type: &DataType, how: How) -> Answer<Expr> {
    let number = if *data_type == DataType::Boolean { cast(expr.clone(), DataType::Int64) } else { expr.clone() };
    let numeric = data_type.is_numeric() || *data_type == DataType::Boolean;
    let asked = name.to_lowercase();
    if !numeric && !matches!(asked.as_str(), "count" | "size" | "min" | "max" | "first" | "last" | "nunique") {
        return skip(format!("{asked} of {data_type}"));
    }
    let made = match (asked.as_str(), how.ddof) {
        ("sum", _) => coalesce(vec![sum(number), lit(0)]),
        ("prod", _) => coalesce(vec![product(float(number)), lit(1.0)]),
        ("mean", _) => avg(float(number)),
        ("count", _) => count(expr.clone()),
        ("size", _) => count(lit(1)),
        ("median", _) => median(float(number)),
        ("var", 1) => var_sample(float(number)),
        ("var", 0) => var_pop(float(number)),
        ("std", 1) => stddev(float(number)),
        ("std", 0) => stddev_pop(float(number)),
        ("min", _) if *data_type == DataType::Boolean => bool_and(expr.clone()),
        ("max", _) if *data_type == DataType::Boolean => bool_or(expr.clone()),
        ("any", _) if *data_type == DataType::Boolean => bool_or(expr.clone()),
        ("all", _) if *data_type == DataType::Boolean => bool_and(expr.clone()),
        ("min", _) => min(expr.clone()),
        ("max", _) => max(expr.clone()),
        ("first", _) => eval.session.function("any_value", [expr.clone()])?,
        ("nunique", _) => count_distinct(expr.clone()),
        _ => return skip(format!("the aggregate {name}")),
    };
    Ok(match how.skips_nulls || matches!(asked.as_str(), "count" | "size") {
        true => made,
        false => when(count(expr).eq(count(lit(1))), made).otherwise_null(),
    })
}

/// Only columns of numbers and truth values.
fn numeric_only(frame: Data, wanted: bool) -> Answer<Data> {
    if !wanted || frame.shape != Shape::Frame {
        return Ok(frame);
    }
    let types = frame.types()?;
    let numeric = |n: &usize| types[*n].is_numeric() || types[*n] == DataType::Boolean;
    let stay: Vec<usize> = (0..types.len()).filter(numeric).collect();
    let labels = stay.iter().map(|n| frame.columns[*n].clone()).collect();
    frame.with(stay.into_iter().map(|n| column(&c(n))).collect(), labels)
}

fn wants_numeric(args: &Value) -> bool {
    let given = |key: &str| pairs(&args[key]).iter().any(|(k, v)| k == "numeric_only" && *v == true);
    args["numeric_only"] == true || given("chunk_kwargs")
}

pub fn reduce(eval: &Eval<'_>, op: &str, args: &Value) -> Answer<Data> {
    if !args["extra0"].is_null() {
        return grouped(eval, op, args);
    }
    let frame = numeric_only(eval.frame(args)?, wants_numeric(args))?;
    let (types, how) = (frame.types()?, How::of(args));
    let of = |n: usize| aggregate(eval, op, column(&c(n)), &types[n], how);
    if frame.shape != Shape::Frame {
        let row = frame.frame.clone().agg(vec![of(0)?.alias(c(0))])?;
        return Ok(Data {
            frame: row,
            index: Vec::new(),
            columns: vec![Value::Null],
            shape: Shape::Scalar,
            fresh: true,
        });
    }
    if frame.columns.is_empty() {
        return skip("an aggregate of no column");
    }
    // The row becomes a column, and labels its index.
    let names: Vec<String> = frame.columns.iter().map(text).collect();
    let one = |(n, name): (usize, &String)| Ok(float_or_same(of(n)?, op, &types).alias(name));
    let aggregates = names.iter().enumerate().map(one).collect::<Answer<Vec<_>>>()?;
    let row = frame.frame.clone().agg(aggregates)?;
    let on: Vec<&str> = names.iter().map(String::as_str).collect();
    let turned = row.unpivot(Unpivot { on: &on, index: &[], name: "i0", value: "c0" })?;
    Ok(Data { frame: turned, index: vec![Value::Null], columns: vec![Value::Null], shape: Shape::Series, fresh: false })
}

/// Results of one column must have one type.
fn float_or_same(expr: Expr, op: &str, types: &[DataType]) -> Expr {
    let mixed = types.windows(2).any(|pair| pair[0] != pair[1]);
    if mixed && !matches!(op, "Count") && types.iter().all(|t| t.is_numeric() || *t == DataType::Boolean) {
        return float(expr);
    }
    expr
}

/// A frame and the keys that it is grouped by: labels, and series over the same rows.
struct Groups {
    frame: Data,
    /// Expressions of the keys, and their names.
    keys: Vec<Expr>,
    names: Vec<Value>,
    /// The labels that are no values, since they are keys.
    taken: Vec<Value>,
}

fn groups(eval: &Eval<'_>, args: &Value) -> Answer<Groups> {
    let mut found = Groups { frame: eval.frame(args)?, keys: Vec::new(), names: Vec::new(), taken: Vec::new() };
    let by: Vec<Value> = (0..).map_while(|n| args.get(format!("extra{n}"))).cloned().collect();
    for key in by {
        let label = match &key {
            key if is_node(key)
                && key["op"] == "Projection"
                && found.frame.columns.contains(&key["args"]["columns"]) =>
            {
                key["args"]["columns"].clone()
            }
            key if is_node(key) => {
                let series = eval.node(key)?;
                if series.shape != Shape::Series {
                    return skip("groups by something else than a series");
                }
                let width = found.frame.columns.len();
                let both = beside(&found.frame, &series, JoinType::Left)?;
                let exprs = (0..width).map(|n| column(&format!("l{n}"))).chain([column("r0")]);
                let named = exprs.enumerate().map(|(n, e)| e.alias(c(n)));
                let rows = both.select(found.frame.index_exprs().into_iter().chain(named))?;
                let hidden = Value::from(format!("key {width}"));
                let columns = found.frame.columns.iter().cloned().chain([hidden.clone()]).collect();
                found.frame = Data { frame: rows, columns, ..found.frame };
                found.keys.push(column(&c(width)));
                found.names.push(series.columns[0].clone());
                found.taken.push(hidden);
                continue;
            }
            key => key.clone(),
        };
        found.keys.push(column(&c(found.frame.find(&label)?)));
        found.names.push(label.clone());
        found.taken.push(label);
    }
    if args["dropna"] != false {
        let keys: Vec<Expr> = found.keys.clone();
        found.frame = found.frame.rows(|f| keys.into_iter().try_fold(f, |f, k| f.filter(k.is_not_null())))?;
    }
    Ok(found)
}

impl Groups {
    /// The columns that are aggregated, and whether the answer is a series.
    fn values(&self, slice: &Value) -> Answer<(Vec<usize>, bool)> {
        match slice {
            Value::Null => {
                let stay = |n: &usize| !self.taken.contains(&self.frame.columns[*n]);
                let values = (0..self.frame.columns.len()).filter(stay).collect();
                Ok((values, self.frame.shape == Shape::Series))
            }
            slice => {
                let values = labels(slice).iter().map(|l| self.frame.find(l)).collect::<Answer<Vec<_>>>()?;
                Ok((values, !slice.is_array()))
            }
        }
    }

    fn answer(&self, exprs: Vec<Expr>, columns: Vec<Value>, series: bool) -> Answer<Data> {
        let keys: Vec<Expr> = self.keys.iter().enumerate().map(|(n, k)| k.clone().alias(i(n))).collect();
        let named: Vec<Expr> = exprs.into_iter().enumerate().map(|(n, e)| e.alias(c(n))).collect();
        let frame = self.frame.frame.clone().group_by(keys).agg(named)?;
        let shape = if series { Shape::Series } else { Shape::Frame };
        Ok(Data { frame, index: self.names.clone(), columns, shape, fresh: false })
    }
}

fn grouped(eval: &Eval<'_>, op: &str, args: &Value) -> Answer<Data> {
    let groups = groups(eval, args)?;
    let (types, how) = (groups.frame.types()?, How::of(args));
    let (mut values, series) = groups.values(&args["_slice"])?;
    if wants_numeric(args) {
        values.retain(|n| types[*n].is_numeric() || types[*n] == DataType::Boolean);
    }
    let of = |n: &usize| aggregate(eval, op, column(&c(*n)), &types[*n], how);
    let exprs = values.iter().map(of).collect::<Answer<Vec<_>>>()?;
    let columns = values.iter().map(|n| groups.frame.columns[*n].clone()).collect();
    groups.answer(exprs, columns, series)
}

pub fn size(eval: &Eval<'_>, op: &str, args: &Value) -> Answer<Data> {
    if !args["extra0"].is_null() {
        let groups = groups(eval, args)?;
        let name = if groups.frame.shape == Shape::Series { groups.frame.columns[0].clone() } else { Value::Null };
        return groups.answer(vec![count(lit(1))], vec![name], true);
    }
    let frame = eval.frame(args)?;
    // All cells of a frame; rows of anything else.
    let width = if frame.shape == Shape::Frame && op == "Size" { frame.columns.len() as i64 } else { 1 };
    let counted = frame.frame.clone().agg([count(lit(1)).alias("rows")])?;
    let frame = counted.select([(column("rows") * lit(width)).alias(c(0))])?;
    Ok(Data { frame, index: Vec::new(), columns: vec![Value::Null], shape: Shape::Scalar, fresh: true })
}

/// `agg` of groups: a name, names, or names for each column.
pub fn aggregation(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let groups = groups(eval, args)?;
    let types = groups.frame.types()?;
    let (values, series) = groups.values(&args["_slice"])?;
    let asked = &args["arg"];
    let how = How { skips_nulls: true, ddof: 1 };
    let (mut exprs, mut columns) = (Vec::new(), Vec::new());
    let mut add = |n: usize, name: &Value, label: Value| -> Answer<()> {
        if !name.is_string() {
            return skip(format!("the aggregate {name}"));
        }
        exprs.push(aggregate(eval, &text(name), column(&c(n)), &types[n], how)?);
        columns.push(label);
        Ok(())
    };
    let of = |n: usize| groups.frame.columns[n].clone();
    let shape = match asked {
        Value::String(_) => {
            values.iter().try_for_each(|n| add(*n, asked, of(*n)))?;
            series
        }
        Value::Array(names) => {
            for (n, name) in values.iter().flat_map(|n| names.iter().map(move |name| (*n, name))) {
                let label = if series { name.clone() } else { Value::Array(vec![of(n), name.clone()]) };
                add(n, name, label)?;
            }
            false
        }
        _ => {
            let wanted = pairs(asked);
            let several = wanted.iter().any(|(_, names)| names.is_array());
            for (label, names) in wanted {
                let n = groups.frame.find(&label)?;
                for name in labels(&names) {
                    let shown = match several {
                        true => Value::Array(vec![label.clone(), name.clone()]),
                        false => label.clone(),
                    };
                    add(n, &name, shown)?;
                }
            }
            false
        }
    };
    groups.answer(exprs, columns, shape)
}

pub fn value_counts(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    if args["normalize"] == true {
        return skip("value_counts as shares");
    }
    let name = Value::from("count");
    if !args["extra0"].is_null() {
        let mut groups = groups(eval, args)?;
        let (values, _) = groups.values(&args["_slice"])?;
        let [value] = values.as_slice() else { return skip("value_counts of a frame") };
        let key = column(&c(*value));
        groups.names.push(groups.frame.columns[*value].clone());
        groups.frame = groups.frame.rows(|f| f.filter(key.clone().is_not_null()))?;
        groups.keys.push(key);
        return groups.answer(vec![count(lit(1))], vec![name], true);
    }
    let mut frame = eval.frame(args)?;
    if frame.shape != Shape::Series {
        return skip("value_counts of a frame");
    }
    if args["dropna"] != false {
        frame = frame.rows(|f| f.drop_nulls(&["c0"]))?;
    }
    let counted = frame.frame.value_counts("c0")?;
    let frame_of = counted.select([column("c0").alias(i(0)), column("count").alias(c(0))])?;
    Ok(Data { frame: frame_of, index: frame.columns.clone(), columns: vec![name], shape: Shape::Series, fresh: false })
}

/// Correlations or covariances, each column with each; of groups too.
pub fn matrix(eval: &Eval<'_>, args: &Value, correlates: bool) -> Answer<Data> {
    let of = |a: Expr, b: Expr| if correlates { corr(a, b) } else { covar_samp(a, b) };
    if !args["extra0"].is_null() {
        return group_matrix(eval, args, of);
    }
    let frame = numeric_only(eval.frame(args)?, true)?;
    let least = args["min_periods"].as_i64().unwrap_or(2);
    if args["scalar"] == true {
        let [_, _] = frame.columns.as_slice() else { return skip("a scalar of more than two columns") };
        let row = frame.frame.agg([of(float(column("c0")), float(column("c1"))).alias(c(0))])?;
        return Ok(Data {
            frame: row,
            index: Vec::new(),
            columns: vec![Value::Null],
            shape: Shape::Scalar,
            fresh: true,
        });
    }
    if frame.columns.is_empty() {
        return skip("a matrix of no column");
    }
    let names: Vec<String> = frame.columns.iter().map(text).collect();
    let labelled = frame.frame.clone().select(names.iter().enumerate().map(|(n, name)| column(&c(n)).alias(name)))?;
    if least > 2 && labelled.clone().drop_nulls(&[])?.count()? < least as usize {
        return skip("a matrix of fewer rows than min_periods");
    }
    let matrix = if correlates { labelled.corr()? } else { labelled.cov()? };
    let columns = names.iter().enumerate().map(|(n, name)| column(name).alias(c(n)));
    let made = matrix.select(std::iter::once(column("column").alias(i(0))).chain(columns))?;
    Ok(Data { frame: made, index: vec![Value::Null], ..frame })
}

fn group_matrix(eval: &Eval<'_>, args: &Value, of: impl Fn(Expr, Expr) -> Expr) -> Answer<Data> {
    let groups = groups(eval, args)?;
    let types = groups.frame.types()?;
    let (values, series) = groups.values(&args["_slice"])?;
    if series || pairs(&args["aggregate_kwargs"]).iter().any(|(k, v)| k == "ddof" && *v != 1) {
        return skip("a matrix of one column, or with ddof");
    }
    let values: Vec<usize> = values.into_iter().filter(|n| types[*n].is_numeric()).collect();
    let mut parts = Vec::new();
    for row in &values {
        let exprs = values.iter().map(|n| of(float(column(&c(*row))), float(column(&c(*n))))).collect();
        let columns = values.iter().map(|n| groups.frame.columns[*n].clone()).collect();
        let part = groups.answer(exprs, columns, false)?;
        let level = lit(text(&groups.frame.columns[*row])).alias(i(groups.keys.len()));
        let index = part.index_exprs().into_iter().chain([level]);
        parts.push(Data { frame: part.frame.clone().select(index.chain(part.column_exprs()))?, ..part });
    }
    let Some(first) = parts.first().cloned() else { return skip("a matrix of no column") };
    let frame = concat(parts.into_iter().map(|p| p.frame))?;
    Ok(Data { frame, index: groups.names.iter().cloned().chain([Value::Null]).collect(), ..first })
}

pub fn get_group(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let groups = groups(eval, args)?;
    let wanted = labels(&args["get_key"]);
    if wanted.len() != groups.keys.len() {
        return skip("a group of other keys");
    }
    let mut frame = groups.frame.clone();
    for (key, value) in groups.keys.iter().zip(&wanted) {
        let test = key.clone().eq(literal(value)?);
        frame = frame.rows(|f| f.filter(test))?;
    }
    let hidden = |l: &Value| groups.taken.contains(l) && text(l).starts_with("key ");
    let stay: Vec<Value> = frame.columns.iter().filter(|l| !hidden(l)).cloned().collect();
    match (&args["columns"], frame.shape) {
        (_, Shape::Series) => Ok(Data { columns: stay, ..frame }),
        (Value::Null, _) => projection(frame, &Value::Array(stay)),
        (one, _) if !one.is_array() => projection(frame, one),
        (several, _) => projection(frame, &Value::Array(list(several))),
    }
}
