//! Functions of lists that take a function: `list_transform(l, x -> x + 1)`, `list_filter(l, x -> x > 1)`,
//! `list_reduce(l, (a, x) -> a + x)`. A further parameter is the place of the element, from 1.
//!
//! A transformation evaluates the lambda once over the elements of all rows; a reduction once for each place: over the
//! rows that have an element there.

use super::super::args::Column;
use super::super::cast::convert;
use super::super::row::{element, list_of};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt64Array, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda, Volatility,
};
use std::sync::Arc;

/// What is done with what the lambda says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Does {
    Transform,
    Filter,
    Reduce,
}

/// The functions of this file.
pub(in super::super) fn functions() -> Vec<Arc<HigherOrderUDF>> {
    let make = |does, name: &'static str, also: &[&str]| {
        let aliases = also.iter().map(|a| a.to_string()).collect();
        let signature = HigherOrderSignature::user_defined(Volatility::Immutable);
        Arc::new(HigherOrderUDF::new_from_impl(Lambda { does, name, aliases, signature }))
    };
    vec![
        make(Does::Transform, "list_transform", &["array_transform", "list_apply", "array_apply", "apply"]),
        make(Does::Filter, "list_filter", &["array_filter", "filter"]),
        make(Does::Reduce, "list_reduce", &["array_reduce", "reduce"]),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Lambda {
    does: Does,
    name: &'static str,
    aliases: Vec<String>,
    signature: HigherOrderSignature,
}

fn field(t: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(t.clone(), true))
}

impl Lambda {
    /// The type of the elements, and that of the value that is reduced to.
    fn types<L>(&self, args: &[ValueOrLambda<FieldRef, L>]) -> Result<(DataType, DataType)> {
        let list = match args.first() {
            Some(ValueOrLambda::Value(list)) => element(list.data_type()).cloned(),
            _ => None,
        };
        let Some(item) = list else { return plan_err!("{} takes a list and a lambda", self.name) };
        let initial = match args.get(2) {
            Some(ValueOrLambda::Value(initial)) => initial.data_type().clone(),
            _ => item.clone(),
        };
        Ok((item, initial))
    }
}

impl HigherOrderUDFImpl for Lambda {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let wanted = if self.does == Does::Reduce { 1..=2 } else { 1..=1 };
        match types.first() {
            Some(list) if wanted.contains(&types.len()) => {
                let item = match (element(list), list) {
                    (Some(item), _) => item.clone(),
                    (None, DataType::Null) => DataType::Null,
                    _ => return plan_err!("{} takes a list, not {}", self.name, crate::front::types::name(list)),
                };
                Ok(std::iter::once(list_of(item)).chain(types.iter().skip(1).cloned()).collect())
            }
            _ => plan_err!("{} takes a list and a lambda", self.name),
        }
    }

    fn lambda_parameters(
        &self,
        _: usize,
        args: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let (item, reduced) = self.types(args)?;
        let place = field(&DataType::Int64);
        Ok(LambdaParametersProgress::Complete(vec![match self.does {
            Does::Reduce => vec![field(&reduced), field(&item), place],
            _ => vec![field(&item), place],
        }]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        let (item, reduced) = self.types(args.arg_fields)?;
        let made = match (self.does, args.arg_fields.get(1)) {
            (Does::Transform, Some(ValueOrLambda::Lambda(made))) => list_of(made.data_type().clone()),
            (Does::Transform, _) => return plan_err!("{} takes a list and a lambda", self.name),
            (Does::Filter, _) => list_of(item),
            (Does::Reduce, _) => reduced,
        };
        Ok(Arc::new(Field::new("", made, true)))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let (Some(ValueOrLambda::Value(list)), Some(ValueOrLambda::Lambda(lambda))) =
            (args.args.first(), args.args.get(1))
        else {
            return plan_err!("{} takes a list and a lambda", self.name);
        };
        let array = list.to_array(args.number_rows)?;
        let Some(list) = array.as_list_opt::<i32>() else { return exec_err!("{} takes a list", self.name) };
        let rows = Rows { list: Column::all(list.clone()), count: args.number_rows };
        let made = match (self.does, args.args.get(2)) {
            (Does::Transform, _) => rows.transform(lambda, args.return_type())?,
            (Does::Filter, _) => rows.filter(lambda)?,
            (Does::Reduce, Some(ValueOrLambda::Value(initial))) => {
                rows.reduce(lambda, Some(initial.to_array(args.number_rows)?), args.return_type())?
            }
            (Does::Reduce, _) => rows.reduce(lambda, None, args.return_type())?,
        };
        Ok(ColumnarValue::Array(made))
    }
}

/// The lists of a batch.
struct Rows {
    list: Column<ListArray>,
    count: usize,
}

fn places(at: impl Iterator<Item = usize>) -> UInt64Array {
    at.map(|i| Some(i as u64)).collect()
}

/// The columns that the lambda uses besides its parameters, for these rows.
fn spread(columns: &[ArrayRef], rows: &UInt64Array) -> Result<Vec<ArrayRef>> {
    columns.iter().map(|c| Ok(take(c, rows, None)?)).collect()
}

impl Rows {
    /// What the lambda says of each element, rows one after another; and how many elements each row has.
    fn each(&self, lambda: &LambdaArgument) -> Result<(ArrayRef, Vec<usize>, UInt64Array)> {
        let spans: Vec<_> = (0..self.count).map(|row| self.list.span(row).unwrap_or(0..0)).collect();
        let elements = places(spans.iter().cloned().flatten());
        let owners = places(spans.iter().enumerate().flat_map(|(row, span)| span.clone().map(move |_| row)));
        let numbers = Int64Array::from_iter_values(spans.iter().flat_map(|span| (1..).take(span.len())));
        let (values, numbers) = (take(self.list.array.values(), &elements, None)?, Arc::new(numbers) as ArrayRef);
        let said = lambda.evaluate(&[&|| Ok(Arc::clone(&values)), &|| Ok(Arc::clone(&numbers))], |captured| {
            spread(captured, &owners)
        })?;
        let lengths = spans.iter().map(|s| s.len()).collect();
        Ok((said.into_array(elements.len())?, lengths, elements))
    }

    fn nulls(&self) -> Option<NullBuffer> {
        Some(NullBuffer::from_iter((0..self.count).map(|row| self.list.at(row).is_some())))
    }

    fn transform(&self, lambda: &LambdaArgument, gives: &DataType) -> Result<ArrayRef> {
        let (said, lengths, _) = self.each(lambda)?;
        let DataType::List(field) = gives else { return exec_err!("a transformed list is a list") };
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, said, self.nulls())?))
    }

    fn filter(&self, lambda: &LambdaArgument) -> Result<ArrayRef> {
        let (said, lengths, elements) = self.each(lambda)?;
        let said = arrow::compute::cast(&said, &DataType::Boolean)?;
        let said = said.as_boolean();
        let keep = |i: &usize| said.is_valid(*i) && said.value(*i);
        let mut begin = 0;
        let kept = lengths.iter().map(|length| {
            begin += length;
            (begin - length..begin).filter(keep).count()
        });
        let offsets = OffsetBuffer::from_lengths(kept.collect::<Vec<_>>());
        let chosen: UInt64Array = (0..elements.len()).filter(keep).map(|i| Some(elements.value(i))).collect();
        let values = take(self.list.array.values(), &chosen, None)?;
        let field = field(values.data_type());
        Ok(Arc::new(ListArray::try_new(field, offsets, values, self.nulls())?))
    }

    fn reduce(&self, lambda: &LambdaArgument, initial: Option<ArrayRef>, gives: &DataType) -> Result<ArrayRef> {
        let values = convert(self.list.array.values(), self.list.array.values().data_type(), false)?;
        let span = |row: usize| self.list.span(row).unwrap_or(0..0);
        let (mut reduced, mut at) = match initial {
            Some(initial) => (convert(&initial, gives, false)?, 0),
            None => {
                let empty = |row: &usize| self.list.at(*row).is_some() && span(*row).is_empty();
                if (0..self.count).any(|row| empty(&row)) {
                    return exec_err!("list_reduce of an empty list needs an initial value");
                }
                let first: UInt64Array = (0..self.count).map(|row| span(row).next().map(|i| i as u64)).collect();
                (convert(&take(&values, &first, None)?, gives, false)?, 1)
            }
        };
        loop {
            let active: Vec<usize> = (0..self.count).filter(|row| span(*row).len() > at).collect();
            if active.is_empty() {
                break;
            }
            let rows = places(active.iter().copied());
            let before = take(&reduced, &rows, None)?;
            let here = take(&values, &places(active.iter().map(|row| span(*row).start + at)), None)?;
            let number: ArrayRef = Arc::new(Int64Array::from(vec![at as i64 + 1; active.len()]));
            let parameters: [&dyn Fn() -> Result<ArrayRef>; 3] =
                [&|| Ok(Arc::clone(&before)), &|| Ok(Arc::clone(&here)), &|| Ok(Arc::clone(&number))];
            let said = lambda.evaluate(&parameters, |captured| spread(captured, &rows))?.into_array(active.len())?;
            let said = convert(&said, gives, false)?;
            let mut next = active.iter().copied().enumerate().peekable();
            let sources: Vec<(usize, usize)> = (0..self.count)
                .map(|row| next.next_if(|(_, r)| *r == row).map_or((0, row), |(place, _)| (1, place)))
                .collect();
            reduced = interleave(&[reduced.as_ref(), said.as_ref()], &sources)?;
            at += 1;
        }
        // A null list has no value, whatever it began with.
        let nothing = new_null_array(gives, 1);
        let sources: Vec<(usize, usize)> =
            (0..self.count).map(|row| if self.list.at(row).is_some() { (0, row) } else { (1, 0) }).collect();
        Ok(interleave(&[reduced.as_ref(), nothing.as_ref()], &sources)?)
    }
}
