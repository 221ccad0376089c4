//! Integer arithmetic that fails instead of wrapping, at run time and in the optimizer's folding of constants alike.
//!
//! DataFusion's `+`, `-`, `*` and unary minus wrap, and its simplifier evaluates constants with them. After the types are
//! settled, [`CheckedArithmetic`] replaces those operators over integers by functions with the same names in schemas.
//! The simplifier evaluates the functions as it does any other; one that fails stays in the plan, and fails when a row
//! reaches it: `CASE WHEN false THEN <overflow> END` is still null.
//!
//! Decimals of 38 digits are checked the same way: Arrow notices only what does not fit 128 bits, which hold more.
//!
//! Division and remainder are checked by DataFusion itself; floats do not wrap; times are checked by Arrow.

use crate::front::walk;
use arrow::array::{ArrayRef, AsArray, Datum};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, FieldRef};
use arrow::error::ArrowError;
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, utils::merge_schema,
};
use datafusion_optimizer::AnalyzerRule;
use std::sync::Arc;

/// The operators that would wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    Add,
    Sub,
    Mul,
    Neg,
}

impl Op {
    fn of(op: Operator) -> Option<Op> {
        match op {
            Operator::Plus => Some(Op::Add),
            Operator::Minus => Some(Op::Sub),
            Operator::Multiply => Some(Op::Mul),
            _ => None,
        }
    }

    fn operator(self) -> Operator {
        match self {
            Op::Add => Operator::Plus,
            Op::Sub | Op::Neg => Operator::Minus,
            Op::Mul => Operator::Multiply,
        }
    }
}

/// An arithmetic operator as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Op,
    /// The type of the result, where it is not that of the arguments.
    decimal: Option<DataType>,
    signature: Signature,
}

impl Checked {
    fn udf(op: Op, decimal: Option<DataType>) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Checked { op, decimal, signature: Signature::variadic_any(Volatility::Immutable) }))
    }

    /// The operator's expression, for its name.
    fn plain(&self, args: &[Expr]) -> Result<Expr> {
        match args {
            [one] => Ok(Expr::Negative(Box::new(one.clone()))),
            [left, right] => {
                let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
                Ok(Expr::BinaryExpr(BinaryExpr { left, op: self.op.operator(), right }))
            }
            _ => plan_err!("arithmetic takes one or two arguments"),
        }
    }

    fn compute(&self, args: &[&dyn Datum]) -> std::result::Result<ArrayRef, ArrowError> {
        match (self.op, args) {
            (Op::Neg, [x]) => numeric::neg(x.get().0),
            (Op::Add, [l, r]) => numeric::add(*l, *r),
            (Op::Sub, [l, r]) => numeric::sub(*l, *r),
            (Op::Mul, [l, r]) => numeric::mul(*l, *r),
            _ => Err(ArrowError::InvalidArgumentError("arithmetic takes one or two arguments".into())),
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Op::Add => "checked_add",
            Op::Sub => "checked_sub",
            Op::Mul => "checked_mul",
            Op::Neg => "checked_neg",
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.plain(args)?.to_string())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.plain(args)?.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match self.decimal.as_ref().or(types.first()) {
            Some(t) => Ok(t.clone()),
            None => plan_err!("arithmetic takes one or two arguments"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|f| f.is_nullable());
        Ok(Arc::new(arrow::datatypes::Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let held = args.args.iter().map(hold).collect::<Result<Vec<_>>>()?;
        let data: Vec<&dyn Datum> = held.iter().map(AsRef::as_ref).collect();
        let out = self.compute(&data)?;
        if let (Some(DataType::Decimal128(precision, _)), Some(held)) =
            (&self.decimal, out.as_primitive_opt::<Decimal128Type>())
        {
            held.validate_decimal_precision(*precision)?;
        }
        match scalar {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&out, 0)?)),
            false => Ok(ColumnarValue::Array(out)),
        }
    }
}

/// An argument as the kernels take it.
fn hold(value: &ColumnarValue) -> Result<Box<dyn Datum>> {
    Ok(match value {
        ColumnarValue::Array(a) => Box::new(Arc::clone(a)),
        ColumnarValue::Scalar(s) => Box::new(s.to_scalar()?),
    })
}

/// The rule: runs after type coercion, so that both sides of an operator have one type.
#[derive(Debug)]
pub(super) struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        walk::plan_up(plan, &mut check_node).data()
    }

    fn name(&self) -> &str {
        "checked_arithmetic"
    }
}

fn check_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
    }
    let names = NamePreserver::new(&plan);
    let changed = walk::exprs(plan, &mut |expr| {
        let name = names.save(&expr);
        let done = walk::expr_up(expr, &mut |e| check_expr(e, &schema))?;
        Ok(done.update_data(|e| name.restore(e)))
    })?;
    changed.map_data(LogicalPlan::recompute_schema)
}

fn check_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let integer = |e: &Expr| e.get_type(schema).ok().filter(DataType::is_integer);
    match expr {
        Expr::BinaryExpr(b) => match (Op::of(b.op), integer(&b.left), integer(&b.right)) {
            (Some(op), Some(left), Some(right)) if left == right => call(op, None, vec![*b.left, *b.right]),
            (Some(op), None, None) => match Expr::BinaryExpr(b.clone()).get_type(schema) {
                Ok(full @ DataType::Decimal128(DECIMAL128_MAX_PRECISION, _)) => {
                    call(op, Some(full), vec![*b.left, *b.right])
                }
                _ => Ok(Transformed::no(Expr::BinaryExpr(b))),
            },
            _ => Ok(Transformed::no(Expr::BinaryExpr(b))),
        },
        Expr::Negative(inner) if integer(&inner).is_some() => call(Op::Neg, None, vec![*inner]),
        other => Ok(Transformed::no(other)),
    }
}

fn call(op: Op, decimal: Option<DataType>, args: Vec<Expr>) -> Result<Transformed<Expr>> {
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: Checked::udf(op, decimal), args })))
}
