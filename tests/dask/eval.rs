//! Expression trees as verbs of a frame.

use super::data::{self, Answer, Data, Shape, c, column, i, list, skip, text};
use super::{grouped, joined};
use arrow::datatypes::DataType;
use datafusion_expr::{Expr, Literal};
use partita::prelude::*;
use serde_json::Value;
use std::path::Path;

/// What one case is evaluated with.
pub struct Eval<'a> {
    pub session: &'a Session,
    pub dir: &'a Path,
    pub frames: &'a Value,
}

/// A constant as an expression.
pub fn literal(value: &Value) -> Answer<Expr> {
    Ok(match value {
        Value::Bool(b) => b.lit(),
        Value::Number(n) if n.is_i64() => n.as_i64().unwrap_or_default().lit(),
        Value::Number(n) => n.as_f64().unwrap_or_default().lit(),
        Value::String(t) => t.as_str().lit(),
        other => return skip(format!("the constant {other}")),
    })
}

pub fn is_node(value: &Value) -> bool {
    value.get("op").is_some()
}

/// The pairs of `{"dict": [[key, value], ..]}`.
pub fn pairs(value: &Value) -> Vec<(Value, Value)> {
    list(&value["dict"]).iter().map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Labels, of which there may be one.
pub fn labels(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

impl Eval<'_> {
    pub fn node(&self, node: &Value) -> Answer<Data> {
        let (op, args) = (text(&node["op"]), &node["args"]);
        if args["axis"] == 1 && op != "Concat" {
            return skip(format!("{op} along rows"));
        }
        match op.as_str() {
            "FromPandas" | "FromPandasDivisions" => self.source(args),
            "ClearDivisions"
            | "Repartition"
            | "RepartitionFreq"
            | "SetDivisions"
            | "ResolveOverlappingDivisions"
            | "ArrowStringConversion"
            | "Fused" => self.frame(args),
            "Projection" => projection(self.frame(args)?, &args["columns"]),
            "Index" => index(self.frame(args)?),
            "Concat" => joined::concat_all(self, args),
            "Merge" | "BlockwiseMerge" => joined::merge(self, args),
            "MergeAsof" | "MergeAsofIndexed" => joined::merge_asof(self, args),
            "AlignGetitem" => joined::aligned(self, args),
            "WhereAlign" | "Where" => joined::choose(self, args, true),
            "MaskAlign" | "Mask" => joined::choose(self, args, false),
            "CombineFirstAlign" => joined::combine_first(self, args),
            "Sum" | "Prod" | "Mean" | "Min" | "Max" | "Count" | "Var" | "Std" | "Median" | "First" | "Any" | "All" => {
                grouped::reduce(self, &op, args)
            }
            "Size" | "IndexCount" => grouped::size(self, &op, args),
            "GroupbyAggregation" => grouped::aggregation(self, args),
            "ValueCounts" => grouped::value_counts(self, args),
            "Corr" => grouped::matrix(self, args, true),
            "Cov" => grouped::matrix(self, args, false),
            "GetGroup" => grouped::get_group(self, args),
            _ => self.rowwise(&op, args),
        }
    }

    pub fn frame(&self, args: &Value) -> Answer<Data> {
        self.node(&args["frame"])
    }

    fn source(&self, args: &Value) -> Answer<Data> {
        let id = text(&args["frame"]["frame"]);
        let made = data::source(self.session, self.dir, &id, &self.frames[&id])?;
        match &args["columns"] {
            Value::Null => Ok(made),
            columns if args["_series"] == true => projection(made, columns.get(0).unwrap_or(columns)),
            columns => projection(made, &Value::Array(labels(columns))),
        }
    }

    /// What stays within a row, and choices of rows.
    fn rowwise(&self, op: &str, args: &Value) -> Answer<Data> {
        match op {
            "Add" | "Sub" | "Mul" | "TrueDiv" | "FloorDiv" | "Mod" | "Pow" | "GT" | "GE" | "LT" | "LE" | "EQ"
            | "NE" | "And" | "Or" => return joined::binary(self, op, args),
            "Assign" => return joined::assign(self, args),
            "AssignAlign" => return joined::assign_one(self, args),
            _ => {}
        }
        if args["frame"].is_null() {
            return skip(op);
        }
        if !args["extra0"].is_null() {
            return skip(format!("{op} of groups"));
        }
        let frame = self.frame(args)?;
        match op {
            "Neg" => frame.map(|e| -e),
            "Invert" => frame.map(not),
            "NotNull" => frame.map(|e| e.is_not_null()),
            "IsNa" => frame.map(|e| e.is_null()),
            "Abs" => frame.map(abs),
            "AsType" => cast_to(frame, &args["dtypes"]),
            "Between" if args["inclusive"] == "both" => {
                let (low, high) = (literal(&args["left"])?, literal(&args["right"])?);
                frame.map(|e| e.between(low.clone(), high.clone()).is_true())
            }
            "Clip" => {
                let bound = |v: &Value| if v.is_null() { Ok(None) } else { literal(v).map(Some) };
                let (low, high) = (bound(&args["lower"])?, bound(&args["upper"])?);
                frame.map(|e| clip(e, low.clone(), high.clone()))
            }
            "Round" => {
                let digits = args["decimals"].as_i64().unwrap_or(0);
                frame.map(|e| round(vec![e, lit(digits)]))
            }
            "Fillna" if !is_node(&args["value"]) => {
                let value = literal(&args["value"])?;
                frame.map(|e| coalesce(vec![e, value.clone()]))
            }
            "FFill" => frame.map(|e| forward_fill(e, args["limit"].as_u64())),
            "BFill" => frame.map(|e| backward_fill(e, args["limit"].as_u64())),
            "CumSum" => frame.map(cum_sum),
            "CumProd" => frame.map(cum_prod),
            "CumMin" => frame.map(cum_min),
            "CumMax" => frame.map(cum_max),
            "Diff" => frame.map(|e| diff(e, args["periods"].as_i64().unwrap_or(1))),
            "Shift" if args["freq"].is_null() => frame.map(|e| shift(e, args["periods"].as_i64().unwrap_or(1))),
            "Replace" if args["regex"] == false && !is_node(&args["to_replace"]) => {
                let (old, new) = (literal(&args["to_replace"])?, literal(&args["value"])?);
                frame.map(|e| when(e.clone().eq(old.clone()), new.clone()).otherwise(e))
            }
            "Head" | "BlockwiseHead" => frame.rows(|f| f.slice(0, args["n"].as_u64().unwrap_or(5) as usize)),
            "Tail" if args["n"].is_u64() => frame.rows(|f| f.tail(args["n"].as_u64().unwrap_or(5) as usize)),
            "NLargest" | "NSmallest" => extreme(frame, op == "NLargest", args),
            "DropDuplicates" => drop_duplicates(frame, args),
            "Unique" => {
                let kept = frame.rows(|f| f.distinct_on(&["c0"], Keep::First))?;
                Ok(Data { fresh: true, ..kept })
            }
            "DropnaFrame" | "DropnaSeries" => drop_na(frame, args),
            "Filter" => joined::filter(self, frame, &args["predicate"]),
            "SortValues" => sort_values(frame, args),
            "SetIndex" => joined::set_index(self, frame, &args["_other"], args),
            "SetIndexBlockwise" => joined::set_index(self, frame, &args["other"], args),
            "ResetIndex" => reset_index(frame, args),
            "Drop" => {
                let gone = labels(&args["columns"]);
                let stay = frame.columns.iter().filter(|l| !gone.contains(l)).cloned().collect();
                projection(frame, &Value::Array(stay))
            }
            "AddPrefix" => renamed(frame, |label| format!("{}{label}", text(&args["prefix"]))),
            "AddSuffix" => renamed(frame, |label| format!("{label}{}", text(&args["suffix"]))),
            "RenameSeries" if args["index"].is_string() => Ok(Data { columns: vec![args["index"].clone()], ..frame }),
            "Mode" if frame.shape == Shape::Series => mode_of(frame),
            "FunctionMap" | "FunctionMapIndex" => function(self, frame, args),
            _ => skip(op),
        }
    }
}

/// Columns by labels; of one label, a series.
pub fn projection(frame: Data, wanted: &Value) -> Answer<Data> {
    if frame.shape == Shape::Series && labels(wanted) == frame.columns {
        return Ok(frame);
    }
    if frame.shape != Shape::Frame {
        return skip("a label of a series");
    }
    let labels = labels(wanted);
    let exprs = labels.iter().map(|l| Ok(column(&c(frame.find(l)?)))).collect::<Answer<Vec<_>>>()?;
    let shape = if wanted.is_array() { Shape::Frame } else { Shape::Series };
    Ok(frame.with(exprs, labels)?.shaped(shape))
}

/// The index alone: a column that is its own label.
fn index(frame: Data) -> Answer<Data> {
    let [name] = frame.index.as_slice() else { return skip("an index of several levels") };
    let (name, key) = (name.clone(), column("i0"));
    Ok(Data { fresh: true, ..frame.with(vec![key], vec![name])?.shaped(Shape::Index) })
}

pub fn renamed(frame: Data, name: impl Fn(&str) -> String) -> Answer<Data> {
    let columns = frame.columns.iter().map(|l| Value::String(name(&text(l)))).collect();
    Ok(Data { columns, ..frame })
}

fn type_of(name: &str) -> Answer<DataType> {
    Ok(match name {
        "float64" | "float" | "Float64" => DataType::Float64,
        "float32" => DataType::Float32,
        "int64" | "int" | "Int64" => DataType::Int64,
        "int32" => DataType::Int32,
        "bool" => DataType::Boolean,
        "str" | "string" => DataType::Utf8View,
        other => return skip(format!("astype {other}")),
    })
}

fn cast_to(frame: Data, types: &Value) -> Answer<Data> {
    if let Some(name) = types.as_str() {
        let to = type_of(name)?;
        return frame.map(|e| cast(e, to.clone()));
    }
    let wanted = pairs(types);
    let one = |(n, label): (usize, &Value)| match wanted.iter().find(|(l, _)| l == label) {
        Some((_, t)) => Ok(cast(column(&c(n)), type_of(&text(t))?)),
        None => Ok(column(&c(n))),
    };
    let exprs = frame.columns.iter().enumerate().map(one).collect::<Answer<Vec<_>>>()?;
    frame.with(exprs, frame.columns.clone())
}

fn names(frame: &Data, labels: &[Value]) -> Answer<Vec<String>> {
    labels.iter().map(|l| Ok(c(frame.find(l)?))).collect()
}

fn extreme(frame: Data, largest: bool, args: &Value) -> Answer<Data> {
    let by = match frame.shape {
        Shape::Series => vec![c(0)],
        _ => names(&frame, &labels(&args["_columns"]))?,
    };
    let by: Vec<&str> = by.iter().map(String::as_str).collect();
    let rows = args["n"].as_u64().unwrap_or(5) as usize;
    frame.rows(|f| if largest { f.nlargest(rows, &by) } else { f.nsmallest(rows, &by) })
}

fn drop_duplicates(frame: Data, args: &Value) -> Answer<Data> {
    let by = match &args["subset"] {
        Value::Null => (0..frame.columns.len()).map(c).collect(),
        subset => names(&frame, &labels(subset))?,
    };
    if by.is_empty() {
        return skip("no column to be different");
    }
    let by: Vec<&str> = by.iter().map(String::as_str).collect();
    let keep = match args["keep"].as_str() {
        Some("first") => Keep::First,
        Some("last") => Keep::Last,
        _ => Keep::None,
    };
    let fresh = frame.fresh || args["ignore_index"] == true;
    Ok(Data { fresh, ..frame.rows(|f| f.distinct_on(&by, keep))? })
}

fn drop_na(frame: Data, args: &Value) -> Answer<Data> {
    if args["how"] == "all" || !args["thresh"].is_null() {
        return skip("dropna with how or thresh");
    }
    let by = match &args["subset"] {
        Value::Null => (0..frame.columns.len()).map(c).collect(),
        subset => names(&frame, &labels(subset))?,
    };
    let by: Vec<&str> = by.iter().map(String::as_str).collect();
    frame.rows(|f| f.drop_nulls(&by))
}

fn sort_values(frame: Data, args: &Value) -> Answer<Data> {
    let ascending = args["ascending"] != false;
    let by = names(&frame, &labels(&args["by"]))?;
    let fresh = frame.fresh || args["ignore_index"] == true;
    let sorted = frame.rows(|f| f.sort(by.iter().map(|name| column(name).sort(ascending, false))))?;
    Ok(Data { fresh, ..sorted })
}

fn reset_index(frame: Data, args: &Value) -> Answer<Data> {
    if args["drop"] == true {
        return Ok(Data { fresh: true, ..frame });
    }
    let name = |label: &Value| if label.is_null() { Value::String("index".into()) } else { label.clone() };
    let columns: Vec<Value> = frame.index.iter().map(name).chain(frame.columns.clone()).collect();
    let exprs = frame.index_exprs().into_iter().chain(frame.column_exprs()).collect();
    let columns = columns.into_iter().map(|l| if l.is_null() { Value::from(0) } else { l }).collect();
    Ok(Data { fresh: true, ..frame.with(exprs, columns)?.shaped(Shape::Frame) })
}

/// Pandas gives all of the most frequent values.
fn mode_of(frame: Data) -> Answer<Data> {
    let counted = frame.frame.clone().drop_nulls(&["c0"])?.value_counts("c0")?;
    let most = over(max(column("count")), [], [])?;
    let kept = counted.filter(column("count").eq(most))?.select([column("c0")])?;
    Ok(Data { frame: kept.with_row_index(&i(0))?, fresh: true, ..frame })
}

/// Functions of text by the names of pandas' accessor.
fn function(eval: &Eval<'_>, frame: Data, args: &Value) -> Answer<Data> {
    if args["accessor"] != "str" || !list(&args["args"]).is_empty() {
        return skip(format!("{}.{}", text(&args["accessor"]), text(&args["attr"])));
    }
    let given = pairs(&args["kwargs"]);
    let argument = |name: &str| given.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
    let call = |name: &str, args: Vec<Expr>| -> Answer<Expr> { Ok(eval.session.function(name, args)?) };
    let text_of = |name: &str| argument(name).as_ref().map_or_else(|| skip("a missing argument"), literal);
    let attr = text(&args["attr"]);
    let make = |e: Expr| -> Answer<Expr> {
        Ok(match (attr.as_str(), given.len()) {
            ("len", 0) => call("length", vec![e])?,
            ("lower" | "upper", 0) => call(&attr, vec![e])?,
            ("casefold", 0) => call("lower", vec![e])?,
            ("capitalize", 0) => {
                let first = call("upper", vec![call("left", vec![e.clone(), lit(1)])?])?;
                call("concat", vec![first, call("lower", vec![call("substr", vec![e, lit(2)])?])?])?
            }
            ("strip", 0) => call("trim", vec![e])?,
            ("lstrip", 0) => call("ltrim", vec![e])?,
            ("rstrip", 0) => call("rtrim", vec![e])?,
            ("startswith", 1) => call("starts_with", vec![e, text_of("pat")?])?,
            ("endswith", 1) => call("ends_with", vec![e, text_of("pat")?])?,
            ("contains", 1) => call("regexp_matches", vec![e, text_of("pat")?])?,
            ("fullmatch", 1) => call("regexp_full_match", vec![e, text_of("pat")?])?,
            ("find", 1) => call("strpos", vec![e, text_of("sub")?])? - lit(1),
            ("repeat", 1) => call("repeat", vec![e, text_of("repeats")?])?,
            ("removeprefix", 1) => {
                let prefix = text_of("prefix")?;
                let cut = call("substr", vec![e.clone(), call("length", vec![prefix.clone()])? + lit(1)])?;
                when(call("starts_with", vec![e.clone(), prefix])?, cut).otherwise(e)
            }
            ("replace", _) if argument("regex").is_none_or(|r| r == false) => {
                call("replace", vec![e, text_of("pat")?, text_of("repl")?])?
            }
            ("zfill" | "ljust" | "rjust", 1) => {
                let (width, fill) = (text_of("width")?, lit(if attr == "zfill" { "0" } else { " " }));
                let pad = if attr == "ljust" { "rpad" } else { "lpad" };
                // SQL's cuts off what is longer.
                let padded = call(pad, vec![e.clone(), width.clone(), fill])?;
                when(call("length", vec![e.clone()])?.lt(width), padded).otherwise(e)
            }
            _ => return skip(format!("str.{attr}")),
        })
    };
    let exprs = frame.column_exprs().into_iter().map(make).collect::<Answer<Vec<_>>>()?;
    frame.with(exprs, frame.columns.clone())
}
