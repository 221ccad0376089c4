//! Scalar expressions: compiled once against the columns of an input, evaluated batch by batch.
//!
//! This is the one place of the operators that touches DataFusion's physical expressions. Life of an expression:
//!
//! 1. [`Compiled::new`] resolves its columns against the input's schema and makes integer arithmetic checked: what wraps
//!    is an error, never a smaller number.
//! 2. [`Compiled::eval`] computes a column for a batch; [`Compiled::eval_filter`] computes a mask, where null and false
//!    both refuse the row.
//! 3. For a scan, [`row_filter`] packs a conjunction into a [`RowFilter`], with what it implies for single columns
//!    ([`bounds`]), so that a format can skip row groups and splits.
//!
//! Uncorrelated scalar subqueries are slots of a [`Scope`]: the plan runs each once and sets its value before any batch
//! is evaluated.

use crate::error::{Error, Result};
use crate::formats::{Bound, BoundTest, FilterPart, RowFilter};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{DFSchema, DataFusionError, ScalarValue, TableReference};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr::InList;
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::physical_planning_context::{PhysicalPlanningContext, ScalarSubqueryResults, SubqueryIndex};
use datafusion_expr::{Between, BinaryExpr, ColumnarValue, Expr, Operator};
use datafusion_physical_expr::expressions::{self, Literal};
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an expression may refer to besides columns: the options of the session and the values of scalar subqueries.
#[derive(Clone)]
pub struct Scope {
    props: Arc<ExecutionProps>,
    planning: PhysicalPlanningContext,
    count: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Scope::new(Arc::new(ConfigOptions::default()), Vec::new())
    }
}

impl Scope {
    /// A scope with a slot for each of `subqueries`, in their order.
    pub fn new(options: Arc<ConfigOptions>, subqueries: Vec<Subquery>) -> Self {
        let count = subqueries.len();
        let slots = subqueries.into_iter().enumerate().map(|(i, s)| (s, SubqueryIndex::new(i))).collect();
        let mut props = ExecutionProps::new();
        props.config_options = Some(options);
        let planning = PhysicalPlanningContext::new(slots, ScalarSubqueryResults::new(count));
        Scope { props: Arc::new(props), planning, count }
    }

    /// The options that expressions are evaluated with.
    pub fn options(&self) -> Arc<ConfigOptions> {
        self.props.config_options.clone().unwrap_or_default()
    }

    /// How many subqueries have a slot.
    pub fn subqueries(&self) -> usize {
        self.count
    }

    /// Sets the value of the `index`-th subquery: null if it had no row. Expressions compiled before see it too.
    ///
    /// # Errors
    /// `Internal`, when there is no such slot or it is set already.
    pub fn set(&self, index: usize, value: ScalarValue) -> Result<()> {
        if index >= self.count {
            return Err(Error::internal(format!("no scalar subquery {index} of {}", self.count)));
        }
        self.planning.results().set(SubqueryIndex::new(index), value).map_err(from_datafusion)
    }
}

/// An expression compiled against the columns of an input. Cheap to clone, shared by threads.
#[derive(Clone, Debug)]
pub struct Compiled {
    expr: Arc<dyn PhysicalExpr>,
    data_type: DataType,
    nullable: bool,
}

impl Compiled {
    /// Compiles `expr` for batches of the columns `input`.
    ///
    /// # Errors
    /// `Query` for columns or types that do not fit, `Unsupported` for what cannot be evaluated row by row.
    pub fn new(expr: &Expr, input: &DFSchema, scope: &Scope) -> Result<Compiled> {
        let expr = expr.clone().unalias_nested().data;
        let made = create_physical_expr(&expr, input, &scope.props, &scope.planning).map_err(from_datafusion)?;
        let checked = made.transform_up(checked).data().map_err(from_datafusion)?;
        let expr = checked.transform_up(super::attempt::attempted).data().map_err(from_datafusion)?;
        let schema = input.as_arrow();
        let data_type = expr.data_type(schema).map_err(from_datafusion)?;
        let nullable = expr.nullable(schema).map_err(from_datafusion)?;
        Ok(Compiled { expr, data_type, nullable })
    }

    /// The type of its values.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Whether its values may be null.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// The input's column that it is, if it computes nothing.
    pub fn column(&self) -> Option<usize> {
        self.expr.downcast_ref::<expressions::Column>().map(expressions::Column::index)
    }

    /// The value that it is, if it does not depend on the input.
    pub fn literal(&self) -> Option<&ScalarValue> {
        self.expr.downcast_ref::<Literal>().map(Literal::value)
    }

    /// One value a row of `batch`.
    ///
    /// # Errors
    /// `Query` for overflow, division by zero, and casts that do not fit.
    pub fn eval(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        if let Some(column) = self.column().and_then(|i| batch.columns().get(i)) {
            return Ok(Arc::clone(column));
        }
        let value = self.expr.evaluate(batch).map_err(from_datafusion)?;
        value.into_array(batch.num_rows()).map_err(from_datafusion)
    }

    /// One mark a row of `batch`, of an expression of type bool: true keeps the row; null and false refuse it.
    ///
    /// # Errors
    /// As `eval`; `Internal` if the expression is not of type bool.
    pub fn eval_filter(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let rows = batch.num_rows();
        match self.expr.evaluate(batch).map_err(from_datafusion)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => Ok(BooleanArray::from(vec![true; rows])),
            ColumnarValue::Scalar(ScalarValue::Boolean(_) | ScalarValue::Null) => {
                Ok(BooleanArray::from(vec![false; rows]))
            }
            other => {
                let array = other.into_array(rows).map_err(from_datafusion)?;
                array
                    .as_boolean_opt()
                    .cloned()
                    .ok_or_else(|| Error::internal(format!("a filter of type {}", array.data_type())))
            }
        }
    }
}

/// Makes `+`, `-` and `*` fail where they would wrap.
fn checked(expr: Arc<dyn PhysicalExpr>) -> datafusion_common::Result<Transformed<Arc<dyn PhysicalExpr>>> {
    let Some(b) = expr.downcast_ref::<expressions::BinaryExpr>() else { return Ok(Transformed::no(expr)) };
    if !matches!(b.op(), Operator::Plus | Operator::Minus | Operator::Multiply) {
        return Ok(Transformed::no(expr));
    }
    let made = expressions::BinaryExpr::new(Arc::clone(b.left()), *b.op(), Arc::clone(b.right()));
    Ok(Transformed::yes(Arc::new(made.with_fail_on_overflow(true))))
}

/// The conjunction of `filters` on the table `name` as a test that a format may apply early; `None` without filters.
///
/// # Errors
/// As [`Compiled::new`].
pub fn row_filter(
    filters: &[Expr],
    name: &TableReference,
    schema: &SchemaRef,
    scope: &Scope,
) -> Result<Option<RowFilter>> {
    let Some(all) = datafusion_expr::utils::conjunction(filters.iter().cloned()) else { return Ok(None) };
    let tests: Vec<&Expr> = filters.iter().flat_map(datafusion_expr::utils::split_conjunction).collect();
    let part = |test: &&Expr| filter_part(test, name, schema, scope);
    let parts = if tests.len() > 1 { tests.iter().map(part).collect::<Result<_>>()? } else { Vec::new() };
    let FilterPart { columns, bounds, eval } = filter_part(&all, name, schema, scope)?;
    Ok(Some(RowFilter { columns, bounds, eval, parts }))
}

fn filter_part(all: &Expr, name: &TableReference, schema: &SchemaRef, scope: &Scope) -> Result<FilterPart> {
    let mut columns = BTreeSet::new();
    for column in all.column_refs() {
        columns.insert(schema.index_of(&column.name)?);
    }
    let columns: Vec<usize> = columns.into_iter().collect();
    let seen = schema.project(&columns)?;
    let input = DFSchema::try_from_qualified_schema(name.clone(), &seen).map_err(from_datafusion)?;
    let test = Compiled::new(all, &input, scope)?;
    let bounds = bounds(std::slice::from_ref(all), schema);
    Ok(FilterPart { columns, bounds, eval: Arc::new(move |batch: &RecordBatch| test.eval_filter(batch)) })
}

/// What the conjunction of `filters` implies for single columns of `schema`: a row outside of a bound fails.
///
/// Floats have no ranges here: NaN is above (or below) every number in comparisons, but not in the statistics of files.
pub fn bounds(filters: &[Expr], schema: &SchemaRef) -> Vec<Bound> {
    let mut found = Vec::new();
    for filter in filters {
        for part in datafusion_expr::utils::split_conjunction(filter) {
            implied(part, schema, &mut found);
        }
    }
    found
}

fn implied(expr: &Expr, schema: &SchemaRef, found: &mut Vec<Bound>) {
    if let Some((column, values)) = one_of(expr, schema) {
        found.push(Bound { column, test: BoundTest::OneOf(values) });
        return;
    }
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (column, op, value) = match (column_of(left, schema), column_of(right, schema)) {
                (Some(c), None) => (c, Some(*op), right),
                (None, Some(c)) => (c, op.swap(), left),
                _ => return,
            };
            let Some(value) = ordered_literal(value, column, schema) else { return };
            let test = match op {
                Some(Operator::Gt | Operator::GtEq) => BoundTest::AtLeast(value),
                Some(Operator::Lt | Operator::LtEq) => BoundTest::AtMost(value),
                _ => return,
            };
            found.push(Bound { column, test });
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let Some(column) = column_of(expr, schema) else { return };
            if let Some(low) = ordered_literal(low, column, schema) {
                found.push(Bound { column, test: BoundTest::AtLeast(low) });
            }
            if let Some(high) = ordered_literal(high, column, schema) {
                found.push(Bound { column, test: BoundTest::AtMost(high) });
            }
        }
        _ => {}
    }
}

/// The one column that must equal one of these values for `expr` to be true: `=`, `IN`, and their disjunctions.
fn one_of(expr: &Expr, schema: &SchemaRef) -> Option<(usize, Vec<ScalarValue>)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (column, mut values) = one_of(left, schema)?;
            let (other, more) = one_of(right, schema)?;
            values.extend(more);
            (column == other).then_some((column, values))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (column, value) = match (column_of(left, schema), column_of(right, schema)) {
                (Some(c), None) => (c, right),
                (None, Some(c)) => (c, left),
                _ => return None,
            };
            Some((column, vec![literal(value, column, schema)?]))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let column = column_of(expr, schema)?;
            // A null in the list never equals anything.
            let values = list.iter().filter(|e| !matches!(e, Expr::Literal(v, _) if v.is_null()));
            Some((column, values.map(|e| literal(e, column, schema)).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

fn column_of(expr: &Expr, schema: &SchemaRef) -> Option<usize> {
    match expr {
        Expr::Column(c) => schema.index_of(&c.name).ok(),
        _ => None,
    }
}

/// A literal of the column's own type that is neither null nor a float whose equality is not that of its bits.
fn literal(expr: &Expr, column: usize, schema: &SchemaRef) -> Option<ScalarValue> {
    let Expr::Literal(value, _) = expr else { return None };
    let wanted = schema.fields().get(column)?.data_type();
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let value = if text(wanted) && text(&value.data_type()) { value.cast_to(wanted).ok()? } else { value.clone() };
    let plain = match &value {
        ScalarValue::Float32(Some(x)) => *x != 0.0 && !x.is_nan(),
        ScalarValue::Float64(Some(x)) => *x != 0.0 && !x.is_nan(),
        ScalarValue::Float16(_) => false,
        _ => true,
    };
    (plain && !value.is_null() && value.data_type() == *wanted).then_some(value)
}

fn ordered_literal(expr: &Expr, column: usize, schema: &SchemaRef) -> Option<ScalarValue> {
    literal(expr, column, schema).filter(|v| !v.data_type().is_floating() && !v.data_type().is_nested())
}

/// What DataFusion says, in this crate's kinds, without its prefixes and backtraces.
pub fn from_datafusion(error: DataFusionError) -> Error {
    use DataFusionError as D;
    match error {
        D::External(e) => match e.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(e) => Error::query(e.to_string()),
        },
        D::ArrowError(e, _) => Error::from(*e),
        D::Context(_, inner) | D::Diagnostic(_, inner) => from_datafusion(*inner),
        D::Shared(e) => match Arc::try_unwrap(e) {
            Ok(e) => from_datafusion(e),
            Err(e) => Error::query(clean(&e.strip_backtrace())),
        },
        D::Collection(all) => match all.into_iter().next() {
            Some(first) => from_datafusion(first),
            None => Error::internal("an error without a message"),
        },
        D::NotImplemented(m) => Error::unsupported(unknown_form(&clean(&m))),
        D::Internal(m) => Error::internal(clean(&m)),
        D::ResourcesExhausted(m) => Error::resources(clean(&m)),
        D::Plan(m) | D::Execution(m) | D::Configuration(m) => query_error(&clean(&m)),
        D::IoError(e) => Error::io("input", e),
        other => Error::query(clean(&other.strip_backtrace())),
    }
}

/// A message about the query, shortened where DataFusion tells its life story.
fn query_error(message: &str) -> Error {
    if let Some((_, rest)) = message.split_once(" user-defined coercion failed with: ") {
        let said = rest.split_once(" No function matches").map_or(rest, |(said, _)| said);
        return Error::query(clean(said).trim_end_matches('.'));
    }
    if let Some((_, rest)) = message.split_once("No function matches the given name and argument types '") {
        let call = rest.split_once("'. ").map_or(rest, |(call, _)| call);
        let known: Vec<&str> = rest
            .split_once("Candidate functions:")
            .map_or(Vec::new(), |(_, list)| list.lines().map(str::trim).filter(|l| !l.is_empty()).collect());
        return Error::query(format!("no function takes these types: {}", plain_types(call)))
            .advise(format!("there is {}; a cast may help", plain_types(&known.join(", "))));
    }
    if let Some((_, rest)) = message.split_once("Cannot coerce arithmetic expression ") {
        let call = rest.split_once(" to valid types").map_or(rest, |(call, _)| call);
        return Error::query(format!("no operator takes these types: {}", plain_types(call))).advise("a cast may help");
    }
    if let Some((_, rest)) = message.split_once("Cannot create filter with non-boolean predicate ") {
        let (what, of) = rest.rsplit_once(" returning ").unwrap_or((rest, "something else"));
        return Error::query(format!("a condition is true or false; {what} is {}", plain_types(of)));
    }
    if let Some((_, call)) = message.split_once("Cannot infer common argument type for ") {
        return Error::query(format!("no common type: {}", plain_types(call))).advise("a cast may help");
    }
    if let Some((_, rest)) = message.split_once("While expanding wildcard, column \"") {
        let name = rest.split_once('"').map_or(rest, |(name, _)| name);
        return Error::query(format!("column {name} must be in GROUP BY or inside an aggregate function"))
            .advise("GROUP BY ALL groups by everything that is not an aggregate");
    }
    Error::query(message)
}

/// The binder prints all of a form that it does not know; its name says enough.
fn unknown_form(message: &str) -> String {
    match message.strip_prefix("Unsupported ast node in sqltorel: ") {
        Some(node) => {
            let name = node.split(['(', ' ', '{']).next().unwrap_or(node);
            format!("{} in this place", name.to_uppercase())
        }
        None => message.to_string(),
    }
}

/// Types in a message by the names that SQL has for them.
fn plain_types(message: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("Interval(MonthDayNano)", "interval"),
        ("Utf8View", "varchar"),
        ("LargeUtf8", "varchar"),
        ("Utf8", "varchar"),
        ("UInt8", "utinyint"),
        ("UInt16", "usmallint"),
        ("UInt32", "uinteger"),
        ("UInt64", "ubigint"),
        ("Int8", "tinyint"),
        ("Int16", "smallint"),
        ("Int32", "integer"),
        ("Int64", "bigint"),
        ("Float32", "float"),
        ("Float64", "double"),
        ("Decimal128", "decimal"),
        ("Decimal", "decimal"),
        ("Boolean", "boolean"),
        ("Date32", "date"),
        ("Time64(µs)", "time"),
        ("Timestamp(µs)", "timestamp"),
        ("Timestamp(ns)", "timestamp_ns"),
        ("Timestamp(ms)", "timestamp_ms"),
        ("Timestamp(s)", "timestamp_s"),
        ("Interval", "interval"),
        ("Duration", "duration"),
    ];
    NAMES.iter().fold(message.to_string(), |text, (arrow, sql)| text.replace(arrow, sql))
}

/// A message without DataFusion's own furniture.
fn clean(message: &str) -> String {
    let end = message.find(DataFusionError::BACK_TRACE_SEP).unwrap_or(message.len());
    let mut text = message.get(..end).unwrap_or(message).trim();
    const PREFIXES: [&str; 7] = [
        "Error during planning: ",
        "Execution error: ",
        "Schema error: ",
        "This feature is not implemented: ",
        "SQL error: ",
        "Arrow error: ",
        "type_coercion\ncaused by\n",
    ];
    while let Some(rest) = PREFIXES.iter().find_map(|p| text.strip_prefix(p)) {
        text = rest;
    }
    text.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringViewArray};
    use arrow::datatypes::{Field, Schema};
    use datafusion_expr::{col, lit};

    fn batch() -> RecordBatch {
        let fields = vec![
            Field::new("a", DataType::Int64, true),
            Field::new("c", DataType::Float64, true),
            Field::new("s", DataType::Utf8View, true),
        ];
        let a = Int64Array::from(vec![Some(1), None, Some(i64::MAX)]);
        let c = Float64Array::from(vec![Some(0.5), Some(f64::NAN), None]);
        let s = StringViewArray::from(vec![Some("x"), Some("y"), None]);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::new(a), Arc::new(c), Arc::new(s)]).unwrap()
    }

    fn compile(expr: &Expr) -> Compiled {
        let input = DFSchema::try_from(batch().schema().as_ref().clone()).unwrap();
        Compiled::new(expr, &input, &Scope::default()).unwrap()
    }

    #[test]
    fn arithmetic_that_wraps_is_an_error() {
        let e = compile(&(col("a") + lit(1_i64))).eval(&batch()).unwrap_err();
        assert_eq!(e.kind(), crate::ErrorKind::Query);
        assert!(e.message().contains("overflow"), "{e}");
        compile(&(col("a") + lit(1_i64))).eval(&batch().slice(0, 2)).unwrap();
        compile(&(col("a") * lit(2_i64) + col("a"))).eval(&batch()).unwrap_err();
        compile(&(lit(i64::MIN) - lit(1_i64))).eval(&batch()).unwrap_err();
    }

    #[test]
    fn null_and_false_refuse_a_row() {
        let kept = compile(&col("a").gt(lit(0_i64))).eval_filter(&batch()).unwrap();
        assert_eq!(kept, BooleanArray::from(vec![Some(true), None, Some(true)]));
        let all = compile(&lit(true)).eval_filter(&batch()).unwrap();
        assert_eq!(all.true_count(), 3);
        let none = compile(&Expr::Literal(ScalarValue::Boolean(None), None)).eval_filter(&batch()).unwrap();
        assert_eq!(none.true_count(), 0);
    }

    #[test]
    fn what_computes_nothing_is_said() {
        assert_eq!(compile(&col("c").alias("x")).column(), Some(1));
        assert_eq!(compile(&lit(5_i64)).literal(), Some(&ScalarValue::Int64(Some(5))));
        assert_eq!(compile(&lit(5_i64)).eval(&batch()).unwrap().len(), 3);
        assert_eq!(compile(&(col("a") + col("a"))).column(), None);
    }

    #[test]
    fn bounds_are_consequences() {
        let schema = batch().schema();
        let of = |e: Expr| bounds(&[e], &schema);
        let at_least = |v: i64| Bound { column: 0, test: BoundTest::AtLeast(ScalarValue::Int64(Some(v))) };
        let at_most = |v: i64| Bound { column: 0, test: BoundTest::AtMost(ScalarValue::Int64(Some(v))) };
        assert_eq!(of(col("a").gt(lit(5_i64))), [at_least(5)]);
        assert_eq!(of(lit(5_i64).gt(col("a"))), [at_most(5)]);
        assert_eq!(of(col("a").between(lit(1_i64), lit(2_i64))), [at_least(1), at_most(2)]);
        let one_of = |v: &[i64]| {
            let values = v.iter().map(|x| ScalarValue::Int64(Some(*x))).collect();
            Bound { column: 0, test: BoundTest::OneOf(values) }
        };
        let null = Expr::Literal(ScalarValue::Int64(None), None);
        assert_eq!(of(col("a").in_list(vec![lit(1_i64), null.clone(), lit(3_i64)], false)), [one_of(&[1, 3])]);
        assert_eq!(of(col("a").eq(lit(1_i64)).or(col("a").eq(lit(2_i64)))), [one_of(&[1, 2])]);
        // None of these says anything that holds for every row kept.
        for e in [
            col("a").gt(lit(5_i64)).or(col("s").eq(lit("x"))),
            col("a").not_eq(lit(5_i64)),
            col("a").in_list(vec![lit(1_i64)], true),
            col("a").not_between(lit(1_i64), lit(2_i64)),
            col("c").gt(lit(1.0)),
            col("c").eq(lit(0.0)),
            col("a").gt(null),
            col("a").gt(lit(1.5)),
            (col("a") + lit(1_i64)).gt(lit(5_i64)),
        ] {
            assert_eq!(of(e.clone()), [], "{e}");
        }
        let text = Bound { column: 2, test: BoundTest::OneOf(vec![ScalarValue::Utf8View(Some("x".into()))]) };
        assert_eq!(of(col("s").eq(lit("x")).and(col("c").is_null())), [text]);
    }

    #[test]
    fn a_row_filter_sees_only_its_columns() {
        let schema = batch().schema();
        let filters =
            [col("t.s").eq(Expr::Literal(ScalarValue::Utf8View(Some("x".into())), None)), col("t.a").gt(lit(0_i64))];
        let made = row_filter(&filters, &TableReference::bare("t"), &schema, &Scope::default()).unwrap().unwrap();
        assert_eq!(made.columns, [0, 2]);
        assert_eq!(made.bounds.len(), 2);
        let mask = (made.eval)(&batch().project(&made.columns).unwrap()).unwrap();
        assert_eq!((mask.len(), mask.true_count(), mask.value(0)), (3, 1, true));
        assert!(row_filter(&[], &TableReference::bare("t"), &schema, &Scope::default()).unwrap().is_none());
    }
}
