//! DataFusion's functions that also take what DuckDB's do: sums of truth values count, `min(x, n)` is a list.

use super::declared::list;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, GroupsAccumulator, Operator, ReversedUDAF, SetMonotonicity,
    Signature, StatisticsArgs, TypeSignature, Volatility,
};
use datafusion_functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion_functions_aggregate::sum::sum_udaf;
use std::sync::Arc;

/// `sum`, `min` and `max`.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let widened = |inner: Arc<AggregateUDF>, kind: Kind| {
        let signature = kind.signature(&inner);
        Arc::new(AggregateUDF::from(Widened { inner, kind, signature }))
    };
    vec![widened(sum_udaf(), Kind::Sum), widened(min_udaf(), Kind::Extreme), widened(max_udaf(), Kind::Extreme)]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Extreme,
}

impl Kind {
    fn signature(self, inner: &AggregateUDF) -> Signature {
        match (self, &inner.signature().type_signature) {
            (Kind::Sum, TypeSignature::OneOf(known)) => {
                let more = TypeSignature::Exact(vec![DataType::Boolean]);
                Signature::one_of(known.iter().cloned().chain([more]).collect(), Volatility::Immutable)
            }
            _ => Signature::user_defined(Volatility::Immutable),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Widened {
    inner: Arc<AggregateUDF>,
    kind: Kind,
    signature: Signature,
}

impl AggregateUDFImpl for Widened {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match (self.kind, types) {
            (Kind::Extreme, [value, n]) if n.is_integer() => Ok(vec![value.clone(), DataType::Int64]),
            _ => self.inner.coerce_types(types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.kind, types) {
            (Kind::Sum, [DataType::Boolean]) => Ok(DataType::Int64),
            (Kind::Extreme, [value, _]) => Ok(list(value)),
            _ => self.inner.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
        op: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        self.inner.simplify_expr_op_literal(function, argument, op, literal, argument_is_left)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.inner.reverse_udf()
    }

    fn is_descending(&self) -> Option<bool> {
        self.inner.is_descending()
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        self.inner.value_from_stats(args)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(data_type)
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }
}
