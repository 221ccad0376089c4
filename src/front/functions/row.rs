//! A scalar function as a row of a table: names, what it takes, what it gives, what it does, an example.
//!
//! What a function takes is written as people read it: `"text, int, text?"`. The words are those of [`Kind`]; `?` marks
//! an argument that may be left out (with those behind it), `..` one that may repeat. Where several shapes are possible
//! they are separated by ` | `; the first that fits is taken. From this text come the checks, the casts of arguments and
//! the column of docs/functions.md.
//!
//! Life of a call: [`Scalar`] casts the arguments, hands their columns to the row's `run` as an [`Args`], and takes back
//! a column. Constants come as columns of one row; if all are constants, the answer is one.

use super::args::Args;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef, IntervalUnit, TimeUnit};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::type_coercion::binary::type_union_resolution;
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::hash::{Hash, Hasher};

/// A function.
#[derive(Debug)]
pub(in crate::front) struct Row {
    /// The name under which it is known.
    pub name: &'static str,
    /// Its other names.
    pub also: &'static [&'static str],
    /// What it takes.
    pub takes: &'static str,
    /// The type of its result.
    pub gives: Gives,
    /// What it does.
    pub run: fn(&Args) -> Result<ArrayRef>,
    /// One sentence, for docs/functions.md.
    #[cfg_attr(not(test), expect(dead_code))]
    pub doc: &'static str,
    /// `call --> answer`, for docs/functions.md.
    #[cfg_attr(not(test), expect(dead_code))]
    pub example: &'static str,
    /// Whether it answers anew for each row.
    pub volatile: bool,
}

/// The type of a result.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) enum Gives {
    Text,
    Int,
    Float,
    Bool,
    Date,
    Time,
    Stamp,
    StampUtc,
    Interval,
    Huge,
    Blob,
    Texts,
    Ints,
    /// The type of the argument at this place.
    Same(usize),
    /// What this makes of the arguments' types.
    By(fn(&[DataType]) -> Result<DataType>),
    /// What this makes of the arguments, whose constants are known.
    ByValues(fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>),
}

pub(in crate::front) const STAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// An instant, shown in UTC.
pub(in crate::front) fn stamp_utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A list of `item`s.
pub(in crate::front) fn list_of(item: DataType) -> DataType {
    DataType::new_list(item, true)
}

impl Gives {
    /// The result in the words of docs/functions.md.
    #[cfg(test)]
    pub(in crate::front) fn word(self) -> String {
        match self {
            Gives::Same(at) => format!("as argument {}", at + 1),
            Gives::By(_) | Gives::ByValues(_) => "depends".to_string(),
            fixed => fixed.fixed().map(|t| crate::front::types::name(&t)).unwrap_or_default(),
        }
    }

    fn fixed(self) -> Option<DataType> {
        Some(match self {
            Gives::Text => DataType::Utf8View,
            Gives::Int => DataType::Int64,
            Gives::Float => DataType::Float64,
            Gives::Bool => DataType::Boolean,
            Gives::Date => DataType::Date32,
            Gives::Time => DataType::Time64(TimeUnit::Microsecond),
            Gives::Stamp => STAMP,
            Gives::StampUtc => stamp_utc(),
            Gives::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Gives::Huge => DataType::Decimal128(38, 0),
            Gives::Blob => DataType::Binary,
            Gives::Texts => list_of(DataType::Utf8View),
            Gives::Ints => list_of(DataType::Int64),
            _ => return None,
        })
    }

    fn of(self, types: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
        match self {
            Gives::Same(at) => Ok(types.get(at).cloned().unwrap_or(DataType::Null)),
            Gives::By(f) => f(types),
            Gives::ByValues(f) => f(types, values),
            fixed => Ok(fixed.fixed().unwrap_or(DataType::Null)),
        }
    }
}

/// The type of a list's elements.
pub(in crate::front) fn element(list: &DataType) -> Option<&DataType> {
    match list {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => Some(f.data_type()),
        _ => None,
    }
}

impl Row {
    pub(super) const fn new(
        name: &'static str,
        takes: &'static str,
        gives: Gives,
        run: fn(&Args) -> Result<ArrayRef>,
        doc: &'static str,
        example: &'static str,
    ) -> Row {
        Row { name, also: &[], takes, gives, run, doc, example, volatile: false }
    }

    pub(super) const fn also(self, also: &'static [&'static str]) -> Row {
        Row { also, ..self }
    }

    /// The types that arguments of these types are cast to; `None` where they do not fit.
    fn coerce(&self, types: &[DataType]) -> Option<Vec<DataType>> {
        let mut made = self.takes.split(" | ").find_map(|shape| fit(shape, types))?;
        if let Gives::ByValues(_) = self.gives {
            // A cast would hide the constants that the type depends on.
            let literals = made.iter_mut().zip(types).filter(|(_, given)| matches!(given, DataType::Utf8));
            literals.filter(|(made, _)| is_text(made)).for_each(|(made, given)| *made = given.clone());
        }
        Some(made)
    }
}

/// The types that the arguments are cast to for a shape such as `text, int?`.
fn fit(shape: &str, types: &[DataType]) -> Option<Vec<DataType>> {
    let made = each(shape, types)?;
    let words: Vec<&str> = shape.split(", ").map(|w| w.trim_end_matches(['?', '.'])).collect();
    let word = |at: usize| words.get(at).or(words.last()).copied().unwrap_or_default();
    if words.contains(&"element") {
        return elements(made, word);
    }
    if words.contains(&"like") {
        return alike(made, word);
    }
    Some(made)
}

/// The common type of several; text and nulls are simple.
fn common(types: &[DataType]) -> Option<DataType> {
    let said: Vec<DataType> = types.iter().filter(|t| !matches!(t, DataType::Null)).cloned().collect();
    let Some(first) = said.first() else { return Some(DataType::Null) };
    if said.iter().all(|t| t == first) {
        return Some(first.clone());
    }
    if said.iter().all(|t| element(t).is_some()) {
        let inner: Vec<DataType> = said.iter().filter_map(|t| element(t).cloned()).collect();
        return common(&inner).map(list_of);
    }
    type_union_resolution(&said).map(|t| if is_text(&t) { DataType::Utf8View } else { t })
}

/// Gives the list and the single values one type of elements.
fn elements<'a>(made: Vec<DataType>, word: impl Fn(usize) -> &'a str) -> Option<Vec<DataType>> {
    let of = |(at, t): (usize, &DataType)| match word(at) {
        "list" => element(t).cloned(),
        "element" => Some(t.clone()),
        _ => None,
    };
    let item = common(&made.iter().enumerate().filter_map(of).collect::<Vec<_>>())?;
    let cast = |(at, t): (usize, DataType)| match word(at) {
        "list" => list_of(item.clone()),
        "element" => item.clone(),
        _ => t,
    };
    Some(made.into_iter().enumerate().map(cast).collect())
}

/// Gives the first argument and those like it one type.
fn alike<'a>(made: Vec<DataType>, word: impl Fn(usize) -> &'a str) -> Option<Vec<DataType>> {
    let is_like = |at: usize| at == 0 || word(at) == "like";
    let all: Vec<DataType> = made.iter().enumerate().filter(|(at, _)| is_like(*at)).map(|(_, t)| t.clone()).collect();
    let one = common(&all)?;
    Some(made.into_iter().enumerate().map(|(at, t)| if is_like(at) { one.clone() } else { t }).collect())
}

/// The types that the arguments are cast to, each for itself.
fn each(shape: &str, types: &[DataType]) -> Option<Vec<DataType>> {
    let words = shape.split(", ").filter(|w| !w.is_empty());
    let mut made = Vec::with_capacity(types.len());
    let mut rest = types.iter();
    for word in words {
        if let Some(kind) = word.strip_suffix("..") {
            for t in rest.by_ref() {
                made.push(Kind::named(kind)?.take(t)?);
            }
            break;
        }
        match rest.next() {
            Some(t) => made.push(Kind::named(word.trim_end_matches('?'))?.take(t)?),
            None if word.ends_with('?') => break,
            None => return None,
        }
    }
    rest.next().is_none().then_some(made)
}

/// What an argument may be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Int,
    Float,
    Number,
    Integer,
    Bool,
    Date,
    Stamp,
    Instant,
    Time,
    Interval,
    Blob,
    List,
    Texts,
    Ints,
    Floats,
    Bools,
    Struct,
    Map,
    /// A date, a timestamp or an instant.
    Moment,
    /// A moment, a time or an interval.
    Part,
    /// What fits into the list among the arguments.
    Element,
    /// What has a type in common with the first argument.
    Like,
    Any,
}

impl Kind {
    fn named(word: &str) -> Option<Kind> {
        Some(match word {
            "text" => Kind::Text,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "number" => Kind::Number,
            "integer" => Kind::Integer,
            "bool" => Kind::Bool,
            "date" => Kind::Date,
            "timestamp" => Kind::Stamp,
            "timestamptz" => Kind::Instant,
            "time" => Kind::Time,
            "interval" => Kind::Interval,
            "blob" => Kind::Blob,
            "list" => Kind::List,
            "texts" => Kind::Texts,
            "ints" => Kind::Ints,
            "floats" => Kind::Floats,
            "bools" => Kind::Bools,
            "struct" => Kind::Struct,
            "map" => Kind::Map,
            "moment" => Kind::Moment,
            "part" => Kind::Part,
            "element" => Kind::Element,
            "like" => Kind::Like,
            "any" => Kind::Any,
            _ => return None,
        })
    }

    /// The type that an argument of type `t` is cast to, if it may be passed. Literals (`Utf8`; columns are `Utf8View`)
    /// may stand for numbers, dates and times.
    fn take(self, t: &DataType) -> Option<DataType> {
        use DataType as T;
        let null = matches!(t, T::Null);
        let text = is_text(t);
        let literal = matches!(t, T::Utf8);
        let list = |ok: bool, item: DataType| {
            let fits = null || element(t).is_some_and(|e| ok || matches!(e, T::Null) || e.is_numeric());
            fits.then(|| list_of(item))
        };
        match self {
            Kind::Text => (text || null).then_some(T::Utf8View),
            Kind::Int => (t.is_integer() || null || literal).then_some(T::Int64),
            Kind::Float => (t.is_numeric() || null || literal).then_some(T::Float64),
            Kind::Number if null => Some(T::Int64),
            Kind::Number => t.is_numeric().then(|| t.clone()),
            Kind::Integer if null => Some(T::Int64),
            Kind::Integer => t.is_integer().then(|| t.clone()),
            Kind::Bool => (matches!(t, T::Boolean) || null).then_some(T::Boolean),
            Kind::Date => (matches!(t, T::Date32 | T::Date64) || literal || null).then_some(T::Date32),
            Kind::Stamp => {
                let fits = matches!(t, T::Date32 | T::Date64 | T::Timestamp(_, None)) || literal || null;
                fits.then_some(STAMP)
            }
            Kind::Instant => match t {
                T::Timestamp(_, Some(zone)) => Some(T::Timestamp(TimeUnit::Microsecond, Some(zone.clone()))),
                _ => None,
            },
            Kind::Time => matches!(t, T::Time32(_) | T::Time64(_)).then_some(T::Time64(TimeUnit::Microsecond)),
            Kind::Interval => {
                let fits = matches!(t, T::Interval(_) | T::Duration(_)) || literal || null;
                fits.then_some(T::Interval(IntervalUnit::MonthDayNano))
            }
            Kind::Blob => matches!(t, T::Binary | T::LargeBinary | T::BinaryView).then_some(T::Binary),
            Kind::List if null => Some(list_of(T::Null)),
            Kind::List => element(t).map(|e| list_of(e.clone())),
            Kind::Texts => {
                let fits = null || element(t).is_some_and(|e| is_text(e) || matches!(e, T::Null));
                fits.then(|| list_of(T::Utf8View))
            }
            Kind::Ints => list(false, T::Int64),
            Kind::Floats => list(false, T::Float64),
            Kind::Bools => list(element(t).is_some_and(|e| matches!(e, T::Boolean)), T::Boolean),
            Kind::Struct => matches!(t, T::Struct(_)).then(|| t.clone()),
            Kind::Map => matches!(t, T::Map(..)).then(|| t.clone()),
            Kind::Moment if matches!(t, T::Date32 | T::Timestamp(..)) => Some(t.clone()),
            Kind::Moment => Kind::Stamp.take(t),
            Kind::Part => Kind::Time
                .take(t)
                .or_else(|| matches!(t, T::Interval(_)).then(|| t.clone()))
                .or_else(|| Kind::Moment.take(t)),
            Kind::Element | Kind::Like | Kind::Any => Some(if text { T::Utf8View } else { t.clone() }),
        }
    }
}

/// Whether values of the type are text.
pub(in crate::front) fn is_text(t: &DataType) -> bool {
    match t {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A row as DataFusion's binder and evaluator see it.
#[derive(Debug)]
pub(super) struct Scalar {
    row: &'static Row,
    aliases: Vec<String>,
    signature: Signature,
}

impl Scalar {
    pub(super) fn new(row: &'static Row) -> Scalar {
        let volatility = if row.volatile { Volatility::Volatile } else { Volatility::Immutable };
        let none = row.takes.split(" | ").any(|shape| fit(shape, &[]).is_some());
        let signature = match (none, row.takes.is_empty()) {
            (true, true) => Signature::nullary(volatility),
            (true, false) => Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::UserDefined], volatility),
            _ => Signature::user_defined(volatility),
        };
        Scalar { row, aliases: row.also.iter().map(|a| a.to_string()).collect(), signature }
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.row.name == other.row.name
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.row.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        self.row.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Its argument must not be computed elsewhere, where an error would be one.
    fn short_circuits(&self) -> bool {
        self.row.name == crate::ops::attempt::TRY
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match self.row.coerce(types) {
            Some(made) => Ok(made),
            None => {
                let given: Vec<String> = types.iter().map(crate::front::types::name).collect();
                let wanted = self.row.takes.replace(" | ", ") or (");
                plan_err!("{} takes ({wanted}), not ({}); a cast may help", self.row.name, given.join(", "))
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.row.gives.of(types, &[])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let made = self.row.gives.of(&types, args.scalar_arguments)?;
        Ok(std::sync::Arc::new(arrow::datatypes::Field::new(self.row.name, made, true)))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = !self.row.volatile
            && !call.args.is_empty()
            && call.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { call.number_rows };
        let args = Args::new(self.row.name, &call.args, rows, call.return_field.data_type())?;
        let made = (self.row.run)(&args)?;
        match constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)),
            false => Ok(ColumnarValue::Array(made)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_say_what_fits() {
        use DataType::*;
        let fits = |shape: &str, types: &[DataType]| fit(shape, types);
        assert_eq!(fits("text, int?", &[Utf8]), Some(vec![Utf8View]));
        assert_eq!(fits("text, int?", &[Utf8View, Int8]), Some(vec![Utf8View, Int64]));
        assert_eq!(fits("text, int?", &[]), None);
        assert_eq!(fits("text, int?", &[Utf8, Utf8View]), None);
        assert_eq!(fits("text, any..", &[Utf8, Int32, Boolean]), Some(vec![Utf8View, Int32, Boolean]));
        assert_eq!(fits("date", &[Utf8]), Some(vec![Date32]), "a literal");
        assert_eq!(fits("date", &[Utf8View]), None, "a column");
        assert_eq!(fits("", &[]), Some(vec![]));
    }
}
