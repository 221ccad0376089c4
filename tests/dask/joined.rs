//! What brings rows of several frames together: by their index, by keys, or row by row.

use super::data::{Answer, Data, Shape, c, column, i, skip, text};
use super::eval::{Eval, is_node, labels, literal};
use datafusion_expr::Expr;
use partita::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// The operands `extra0`, `extra1`, ...
fn extras(args: &Value) -> Vec<Value> {
    (0..).map_while(|n| args.get(format!("extra{n}"))).cloned().collect()
}

/// How the columns of two frames stand beside each other: index `i..`, left `l..`, right `r..`.
pub fn beside(left: &Data, right: &Data, how: JoinType) -> Answer<Frame> {
    if left.index.len() != right.index.len() {
        return skip("indexes of different depth");
    }
    let keys: Vec<String> = (0..left.index.len()).map(i).collect();
    let side = |data: &Data, prefix: &str| -> Answer<Frame> {
        let named = (0..data.columns.len()).map(|n| column(&c(n)).alias(format!("{prefix}{n}")));
        Ok(data.frame.clone().select(data.index_exprs().into_iter().chain(named))?)
    };
    let (ours, theirs) = (left.labels()?, right.labels()?);
    let (l, r) = (side(left, "l")?, side(right, "r")?);
    if ours == theirs {
        // Equal indexes: pandas goes row by row, even where labels repeat.
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        return Ok(l.hstack(r.drop(&keys)?)?);
    }
    let repeats = |labels: &[String]| labels.iter().collect::<BTreeSet<_>>().len() < labels.len();
    if repeats(&ours) || repeats(&theirs) {
        return skip("labels of an index that repeat");
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Ok(l.join_using(r, how, &keys)?)
}

/// The columns of `exprs` over such a frame.
fn over_both(frame: Frame, of: &Data, exprs: Vec<Expr>, columns: Vec<Value>) -> Answer<Data> {
    let named = exprs.into_iter().enumerate().map(|(n, e)| e.alias(c(n)));
    let frame = frame.select(of.index_exprs().into_iter().chain(named))?;
    Ok(Data { frame, columns, ..of.clone() })
}

fn l(n: usize) -> Expr {
    column(&format!("l{n}"))
}

fn r(n: usize) -> Expr {
    column(&format!("r{n}"))
}

pub fn concat_all(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let parts = extras(args).iter().map(|e| eval.node(e)).collect::<Answer<Vec<_>>>()?;
    let Some(first) = parts.first() else { return skip("nothing to concat") };
    if parts.iter().any(|p| p.index.len() != 1) {
        return skip("an index of several levels");
    }
    if args["axis"] == 1 {
        let how = if args["join"] == "inner" { JoinType::Inner } else { JoinType::Full };
        let rest = parts.get(1..).unwrap_or_default();
        let mut all = first.clone().shaped(Shape::Frame);
        for part in rest {
            let exprs = (0..all.columns.len()).map(l).chain((0..part.columns.len()).map(r)).collect();
            let columns = all.columns.iter().chain(&part.columns).cloned().collect();
            all = over_both(beside(&all, part, how)?, &all, exprs, columns)?;
        }
        return Ok(all);
    }
    let series = parts.iter().all(|p| p.shape == Shape::Series);
    let mut union: Vec<Value> = Vec::new();
    for label in parts.iter().flat_map(|p| &p.columns) {
        if !union.contains(label) {
            union.push(label.clone());
        }
    }
    if series {
        let name = if union.len() == 1 { union[0].clone() } else { Value::Null };
        let frames = parts.iter().map(|p| p.frame.clone());
        return Ok(Data { frame: concat(frames)?, columns: vec![name], ..first.clone() });
    }
    if args["join"] == "inner" {
        union.retain(|label| parts.iter().all(|p| p.columns.contains(label)));
    }
    let number = |label: &Value| union.iter().position(|l| l == label);
    let renamed = |part: &Data| -> Answer<Frame> {
        let named = part.columns.iter().enumerate().filter_map(|(n, l)| Some(column(&c(n)).alias(c(number(l)?))));
        Ok(part.frame.clone().select(part.index_exprs().into_iter().chain(named))?)
    };
    let frames = parts.iter().map(renamed).collect::<Answer<Vec<_>>>()?;
    let order = first.index_exprs().into_iter().chain((0..union.len()).map(|n| column(&c(n))));
    let frame = concat_by_name(frames)?.select(order)?;
    let index = if parts.iter().all(|p| p.index == first.index) { first.index.clone() } else { vec![Value::Null] };
    Ok(Data { frame, index, columns: union, shape: Shape::Frame, fresh: parts.iter().any(|p| p.fresh) })
}

/// The keys of one side of a merge: columns, or the index.
fn keys(data: &Data, on: &Value, by_index: bool) -> Answer<Vec<Expr>> {
    match by_index {
        true => Ok(data.index_exprs()),
        false => labels(on).iter().map(|label| Ok(column(&c(data.find(label)?)))).collect(),
    }
}

/// Labels of both sides, with suffixes where both have one; `gone` ones of the right side are left out.
fn suffixed(left: &Data, right: &Data, gone: &[Value], suffixes: &Value) -> (Vec<Value>, Vec<Option<Value>>) {
    let with = |label: &Value, n: usize| match suffixes[n].as_str() {
        Some(suffix) => Value::String(format!("{}{suffix}", text(label))),
        None => label.clone(),
    };
    let both = |label: &Value, other: &Data| !gone.contains(label) && other.columns.contains(label);
    let lefts = left.columns.iter().map(|l| if both(l, right) { with(l, 0) } else { l.clone() }).collect();
    let rights = right.columns.iter().map(|l| match gone.contains(l) {
        true => None,
        false => Some(if both(l, left) { with(l, 1) } else { l.clone() }),
    });
    (lefts, rights.collect())
}

pub fn merge(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let (left, right) = (eval.node(&args["left"])?, eval.node(&args["right"])?);
    let by_index = (args["left_index"] == true, args["right_index"] == true);
    if by_index.0 != by_index.1 || args["indicator"] == true {
        return skip("a merge of an index with a column");
    }
    let how = match text(&args["how"]).as_str() {
        "inner" => JoinType::Inner,
        "left" => JoinType::Left,
        "right" => JoinType::Right,
        "outer" => JoinType::Full,
        "leftsemi" => JoinType::LeftSemi,
        other => return skip(format!("a merge that is {other}")),
    };
    let (left_keys, right_keys) =
        (keys(&left, &args["left_on"], by_index.0)?, keys(&right, &args["right_on"], by_index.1)?);
    let names: Vec<String> = (0..left_keys.len()).map(|n| format!("k{n}")).collect();
    let side = |data: &Data, keys: Vec<Expr>, prefix: &str| -> Answer<Frame> {
        let keyed = keys.into_iter().enumerate().map(|(n, e)| e.alias(format!("k{n}")));
        let named = (0..data.columns.len()).map(|n| column(&c(n)).alias(format!("{prefix}{n}")));
        Ok(data.frame.clone().select(keyed.chain(named))?)
    };
    let keyed: Vec<&str> = names.iter().map(String::as_str).collect();
    let joined = side(&left, left_keys, "l")?.join_using(side(&right, right_keys, "r")?, how, &keyed)?;
    let (left_on, right_on) = (labels(&args["left_on"]), labels(&args["right_on"]));
    // A key of the same name on both sides is there once.
    let same: Vec<Value> = left_on.iter().zip(&right_on).filter(|(a, b)| a == b).map(|(a, _)| a.clone()).collect();
    let (lefts, rights) = suffixed(&left, &right, &same, &args["suffixes"]);
    let key = |n: usize| left_on.iter().position(|l| same.contains(l) && left.columns[n] == *l);
    let mut exprs: Vec<Expr> =
        (0..lefts.len()).map(|n| key(n).map_or_else(|| l(n), |k| column(&format!("k{k}")))).collect();
    let mut columns = lefts;
    if how != JoinType::LeftSemi {
        for (n, label) in rights.into_iter().enumerate() {
            if let Some(label) = label {
                exprs.push(r(n));
                columns.push(label);
            }
        }
    }
    let index: Vec<Expr> = match by_index.0 {
        true => names.iter().map(|k| column(k)).collect(),
        false => vec![lit(0)],
    };
    let index_names = if by_index.0 { left.index.clone() } else { vec![Value::Null] };
    let index = index.into_iter().enumerate().map(|(n, e)| e.alias(i(n)));
    let named = exprs.into_iter().enumerate().map(|(n, e)| e.alias(c(n)));
    let frame = joined.select(index.chain(named))?;
    Ok(Data { frame, index: index_names, columns, shape: Shape::Frame, fresh: !by_index.0 })
}

pub fn merge_asof(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let (left, right) = (eval.node(&args["left"])?, eval.node(&args["right"])?);
    let by_index = (args["left_index"] == true, args["right_index"] == true);
    let on = (keys(&left, &args["left_on"], by_index.0)?, keys(&right, &args["right_on"], by_index.1)?);
    let by = (keys(&left, &args["left_by"], false)?, keys(&right, &args["right_by"], false)?);
    let direction = match text(&args["direction"]).as_str() {
        "backward" => Direction::Backward,
        "forward" => Direction::Forward,
        _ => Direction::Nearest,
    };
    let tolerance = if args["tolerance"].is_null() { None } else { Some(literal(&args["tolerance"])?) };
    let ([left_on], [right_on]) = (on.0.as_slice(), on.1.as_slice()) else { return skip("an as-of merge by several") };
    let nearest = Asof {
        by: by.0.into_iter().zip(by.1).collect(),
        direction,
        tolerance,
        exact: args["allow_exact_matches"] != false,
        ..Asof::on(left_on.clone(), right_on.clone())
    };
    let joined = left.frame.clone().join_asof(right.frame.clone(), nearest)?;
    let same = |l: &Value, r: &Value| labels(l).into_iter().zip(labels(r)).filter(|(a, b)| a == b).map(|(a, _)| a);
    let mut gone: Vec<Value> = same(&args["left_by"], &args["right_by"]).collect();
    gone.extend(same(&args["left_on"], &args["right_on"]));
    let (mut columns, rights) = suffixed(&left, &right, &gone, &args["suffixes"]);
    // Both sides have columns c0, ..: the right ones that are taken got a name behind.
    let right_name = |n: usize| if n < left.columns.len() { format!("c{n}_right") } else { c(n) };
    let mut exprs: Vec<Expr> = left.column_exprs();
    for (n, label) in rights.into_iter().enumerate() {
        if let Some(label) = label {
            exprs.push(column(&right_name(n)));
            columns.push(label);
        }
    }
    let fresh = !by_index.0 && !by_index.1;
    Ok(Data { fresh, ..over_both(joined, &left, exprs, columns)?.shaped(Shape::Frame) })
}

pub fn aligned(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let align = &args["frame"]["args"];
    let how = match text(&align["join"]).as_str() {
        "outer" => JoinType::Full,
        "inner" => JoinType::Inner,
        "left" => JoinType::Left,
        _ => JoinType::Right,
    };
    if !align["fill_value"].is_null() {
        return skip("align with a value");
    }
    let (left, right) = (eval.node(&align["frame"])?, eval.node(&align["other"])?);
    let second = args["position"] == 1;
    let own = if second { &right } else { &left };
    if left.shape == Shape::Frame && left.columns != right.columns && align["axis"].is_null() {
        return skip("align of frames with other columns");
    }
    let exprs = (0..own.columns.len()).map(|n| if second { r(n) } else { l(n) }).collect();
    over_both(beside(&left, &right, how)?, own, exprs, own.columns.clone())
}

/// The columns of another operand for each of ours: by label, or the same one for all; `None` where it has none.
fn matching(own: &Data, other: &Data) -> Vec<Option<usize>> {
    let one = |label: &Value| match other.shape {
        Shape::Frame => other.columns.iter().position(|l| l == label),
        _ => Some(0),
    };
    own.columns.iter().map(one).collect()
}

/// `where`, or `mask`, which is its contrary.
pub fn choose(eval: &Eval<'_>, args: &Value, keeps: bool) -> Answer<Data> {
    let own = eval.frame(args)?;
    let cond = eval.node(&args["cond"])?;
    let both = beside(&own, &cond, JoinType::Left)?;
    let tests = matching(&own, &cond);
    // What has no condition is not kept.
    let test = |at: &Option<usize>| match (at, keeps) {
        (Some(n), true) => r(*n),
        (Some(n), false) => not(r(*n)),
        (None, _) => lit(false),
    };
    let kept = own.columns.iter().enumerate().map(|(n, _)| l(n)).chain(tests.iter().map(test)).collect();
    let width = own.columns.len();
    let wide = over_both(both, &own, kept, vec![Value::Null; 2 * width])?;
    let other = &args["other"];
    let (rows, values): (Frame, Vec<Expr>) = match other {
        other if is_node(other) => {
            let other = eval.node(other)?;
            let found = matching(&own, &other);
            let value = |at: &Option<usize>| at.map_or_else(|| lit(ScalarValue::Null), r);
            let both = beside(&wide, &other, JoinType::Left)?;
            let values = found.iter().map(value).collect();
            (both, values)
        }
        other => {
            let value = if other.is_null() { lit(ScalarValue::Null) } else { literal(other)? };
            let names = (0..2 * width).map(|n| column(&c(n)).alias(format!("l{n}")));
            (wide.frame.clone().select(wide.index_exprs().into_iter().chain(names))?, vec![value; width])
        }
    };
    let chosen = values.into_iter().enumerate().map(|(n, value)| when(l(width + n), l(n)).otherwise(value)).collect();
    over_both(rows, &own, chosen, own.columns.clone())
}

pub fn combine_first(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let (left, right) = (eval.frame(args)?, eval.node(&args["other"])?);
    if left.columns != right.columns || left.shape != right.shape {
        return skip("combine_first of other columns");
    }
    let exprs = (0..left.columns.len()).map(|n| coalesce(vec![l(n), r(n)])).collect();
    over_both(beside(&left, &right, JoinType::Full)?, &left, exprs, left.columns.clone())
}

fn operation(op: &str, a: Expr, b: Expr) -> Answer<Expr> {
    use arrow::datatypes::DataType::Float64;
    let float = |e: Expr| cast(e, Float64);
    Ok(match op {
        "Add" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "TrueDiv" => float(a) / float(b),
        "FloorDiv" => floor(float(a) / float(b)),
        // The sign is that of the divisor.
        "Mod" => a.clone() - b.clone() * floor(float(a) / float(b)),
        "Pow" => power(float(a), float(b)),
        // A comparison with a missing value is false there, not null; unequal to one is true.
        "GT" => a.gt(b).is_true(),
        "GE" => a.gt_eq(b).is_true(),
        "LT" => a.lt(b).is_true(),
        "LE" => a.lt_eq(b).is_true(),
        "EQ" => a.eq(b).is_true(),
        "NE" => a.not_eq(b).is_not_false(),
        "And" => a.and(b),
        "Or" => a.or(b),
        other => return skip(other),
    })
}

pub fn binary(eval: &Eval<'_>, op: &str, args: &Value) -> Answer<Data> {
    let (left, right) = (&args["left"], &args["right"]);
    if !is_node(right) || !is_node(left) {
        let (node, constant) = if is_node(left) { (left, right) } else { (right, left) };
        let (own, value) = (eval.node(node)?, literal(constant)?);
        if constant.is_string() && own.types()?.iter().any(|t| t.is_temporal()) {
            return skip("a duration");
        }
        let make = |e: Expr| match is_node(left) {
            true => operation(op, e, value.clone()),
            false => operation(op, value.clone(), e),
        };
        let exprs = own.column_exprs().into_iter().map(make).collect::<Answer<Vec<_>>>()?;
        return own.with(exprs, own.columns.clone());
    }
    let (left, right) = (eval.node(left)?, eval.node(right)?);
    if right.shape == Shape::Scalar {
        let named = left.prefixed("")?.cross_join(right.frame.clone().select([column("c0").alias("scalar")])?)?;
        let exprs =
            left.column_exprs().into_iter().map(|e| operation(op, e, column("scalar"))).collect::<Answer<Vec<_>>>()?;
        return over_both(named, &left, exprs, left.columns.clone());
    }
    if left.shape != right.shape || left.shape == Shape::Frame && left.columns != right.columns {
        return skip(format!("{op} of different shapes"));
    }
    let exprs = (0..left.columns.len()).map(|n| operation(op, l(n), r(n))).collect::<Answer<Vec<_>>>()?;
    let columns = match left.columns == right.columns {
        true => left.columns.clone(),
        false => vec![Value::Null],
    };
    let both = beside(&left, &right, JoinType::Full)?;
    over_both(both, &left, exprs, columns)
}

/// `own` with a column more, or another one of that label.
fn with_column(own: &Data, label: &Value, value: Expr, both: Frame) -> Answer<Data> {
    let mut columns = own.columns.clone();
    let mut exprs: Vec<Expr> = (0..columns.len()).map(l).collect();
    match columns.iter().position(|l| l == label) {
        Some(n) => exprs[n] = value,
        None => {
            exprs.push(value);
            columns.push(label.clone());
        }
    }
    over_both(both, own, exprs, columns)
}

fn assigned(eval: &Eval<'_>, own: &Data, label: &Value, value: &Value) -> Answer<Data> {
    if !is_node(value) {
        let names = (0..own.columns.len()).map(|n| column(&c(n)).alias(format!("l{n}")));
        let rows = own.frame.clone().select(own.index_exprs().into_iter().chain(names))?;
        return with_column(own, label, literal(value)?, rows);
    }
    let value = eval.node(value)?;
    match value.shape {
        Shape::Scalar => {
            let names = (0..own.columns.len()).map(|n| column(&c(n)).alias(format!("l{n}")));
            let rows = own.frame.clone().select(own.index_exprs().into_iter().chain(names))?;
            let rows = rows.cross_join(value.frame.clone().select([column("c0").alias("r0")])?)?;
            with_column(own, label, r(0), rows)
        }
        Shape::Frame => skip("a frame as a column"),
        _ => with_column(own, label, r(0), beside(own, &value, JoinType::Left)?),
    }
}

pub fn assign(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    let mut own = eval.frame(args)?;
    let extras = extras(args);
    for pair in extras.chunks(2) {
        let [label, value] = pair else { return skip("assign without a value") };
        own = assigned(eval, &own, label, value)?;
    }
    Ok(own)
}

pub fn assign_one(eval: &Eval<'_>, args: &Value) -> Answer<Data> {
    assigned(eval, &eval.frame(args)?, &args["column"], &args["value"])
}

pub fn filter(eval: &Eval<'_>, own: Data, predicate: &Value) -> Answer<Data> {
    let test = eval.node(predicate)?;
    if test.shape != Shape::Series {
        return skip("a filter by a frame");
    }
    let both = beside(&own, &test, JoinType::Left)?.filter(r(0))?;
    let exprs = (0..own.columns.len()).map(l).collect();
    over_both(both, &own, exprs, own.columns.clone())
}

pub fn set_index(eval: &Eval<'_>, own: Data, other: &Value, args: &Value) -> Answer<Data> {
    if args["append"] == true {
        return skip("set_index that appends");
    }
    let (rows, key, name, label) = match other {
        other if is_node(other) => {
            let key = eval.node(other)?;
            let rows = beside(&own, &key, JoinType::Left)?;
            (rows, r(0), key.columns.first().cloned().unwrap_or_default(), None)
        }
        label => {
            let names = (0..own.columns.len()).map(|n| column(&c(n)).alias(format!("l{n}")));
            let rows = own.frame.clone().select(names)?;
            (rows, l(own.find(label)?), label.clone(), Some(label.clone()))
        }
    };
    let stays = |label_of: &Value| args["drop"] != true || Some(label_of) != label.as_ref();
    let columns: Vec<(usize, Value)> = own.columns.iter().cloned().enumerate().filter(|(_, l)| stays(l)).collect();
    let named = columns.iter().enumerate().map(|(to, (from, _))| l(*from).alias(c(to)));
    let frame = rows.select(std::iter::once(key.alias(i(0))).chain(named))?;
    let columns = columns.iter().map(|(_, label)| label.clone()).collect();
    Ok(Data { frame: frame.sort([column("i0").sort(true, false)])?, index: vec![name], columns, fresh: false, ..own })
}
