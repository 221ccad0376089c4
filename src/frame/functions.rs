//! Functions of the program for SQL and for expressions: `session.register_*`.

use super::{IntoExprs, Session};
use crate::error::Result;
use crate::front::custom::{
    Accumulate, AggregateFunction, Returned, ScalarFunction, Step, TableFunction, TypedFunction,
};
use crate::ops::supply::Supply;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{AggregateUDF, Expr, ScalarUDF};
use std::sync::Arc;

/// A function that was registered, for expressions of a [`Frame`](super::Frame). Cheap to clone.
#[derive(Clone)]
pub struct Function(Kind);

#[derive(Clone)]
enum Kind {
    Scalar(Arc<ScalarUDF>),
    Aggregate(Arc<AggregateUDF>),
}

impl Function {
    /// Its value for these arguments.
    pub fn call(&self, arguments: impl IntoExprs) -> Expr {
        match &self.0 {
            Kind::Scalar(f) => f.call(arguments.into_exprs()),
            Kind::Aggregate(f) => f.call(arguments.into_exprs()),
        }
    }
}

impl Session {
    /// Gives a Rust function a name for SQL, and returns it for expressions. Its arguments and its result may be `bool`,
    /// integers, floats, text (`&str` in, `String` out), bytes (`&[u8]`, `Vec<u8>`), chrono's `NaiveDate` and
    /// `NaiveDateTime`, each also in an `Option`; the result may be a `Result`, too, whose error ends the query.
    ///
    /// An argument that is no `Option` is never null: where one is, the function is not called, and its value is null.
    /// The same arguments must give the same value: calls may be saved, repeated or moved. For one of which that is not
    /// true, see [`register_volatile_fn`](Self::register_volatile_fn).
    ///
    /// The name is found in any case; one that was registered before is replaced. A panic is an error of the query.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let session = Session::builder().build()?;
    /// session.register_fn("initial", |name: &str| name.chars().next().map(String::from))?;
    /// let cut = session.register_fn("cut", |x: f64, most: Option<f64>| x.min(most.unwrap_or(f64::INFINITY)))?;
    ///
    /// let frame = session.sql("SELECT initial(name) AS i, x FROM (VALUES ('Ada', 1.5), ('Bo', 7.0)) AS t(name, x)")?;
    /// assert_eq!(frame.clone().filter(col("i").eq(lit("B")))?.count()?, 1);
    /// assert_eq!(frame.filter(cut.call([col("x"), lit(2.0)]).eq(lit(2.0)))?.count()?, 1);
    ///
    /// session.register_fn("inverse", |x: i64| if x == 0 { Err("there is none") } else { Ok(1.0 / x as f64) })?;
    /// let error = session.sql("SELECT inverse(n) FROM range(3) AS t(n)")?.collect().unwrap_err();
    /// assert_eq!(error.message(), "the function inverse: there is none");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for a name that is built in, or none.
    pub fn register_fn<Shape>(&self, name: &str, function: impl TypedFunction<Shape>) -> Result<Function> {
        self.register_scalar_function(name, function.over_columns())
    }

    /// As [`register_fn`](Self::register_fn), for a function that answers anew each time, as a counter or random numbers
    /// do: it is called for each row, once.
    ///
    /// # Errors
    /// As `register_fn`.
    pub fn register_volatile_fn<Shape>(&self, name: &str, function: impl TypedFunction<Shape>) -> Result<Function> {
        self.register_scalar_function(name, function.over_columns().volatile())
    }

    /// Gives a function over arrow arrays a name for SQL, and returns it for expressions. `body` is given a column for
    /// each argument, in the types of `arguments`, and the number of rows, and returns a column of that many values of
    /// the type `returns`. Calls are saved, repeated and moved as if it depended on its arguments alone.
    ///
    /// Arguments are cast where no value can be lost without an error (`BIGINT` to `INTEGER` fails where a value does not
    /// fit). A panic, a wrong type and a wrong length are errors of the query that name the function.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::array::{AsArray, Int64Array};
    /// use arrow::datatypes::{DataType, Int64Type};
    /// use partita::prelude::*;
    /// use std::sync::Arc;
    ///
    /// let session = Session::builder().build()?;
    /// let types = [DataType::Int64];
    /// session.register_scalar("collatz", &types, DataType::Int64, |columns, _rows| {
    ///     let numbers = columns[0].as_primitive::<Int64Type>();
    ///     let next = |n: i64| if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
    ///     Ok(Arc::new(numbers.unary::<_, Int64Type>(next)))
    /// })?;
    /// assert_eq!(session.sql("SELECT * FROM range(100) AS t(n) WHERE collatz(n) > n")?.count()?, 50);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for a name that is built in, or none.
    pub fn register_scalar(
        &self,
        name: &str,
        arguments: &[DataType],
        returns: DataType,
        body: impl Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Result<Function> {
        self.register_scalar_function(name, ScalarFunction::new(arguments, returns, body))
    }

    /// As [`register_scalar`](Self::register_scalar), with all that can be said of a function.
    ///
    /// # Errors
    /// As `register_scalar`.
    pub fn register_scalar_function(&self, name: &str, function: ScalarFunction) -> Result<Function> {
        Ok(Function(Kind::Scalar(self.0.front.add_scalar(name, function)?)))
    }

    /// Gives an aggregate of three closures a name for SQL, and returns it for expressions: each group begins with a state
    /// that `begin` makes, `step` takes each row into it, `end` makes its value. Arguments and result have the types of
    /// [`register_fn`](Self::register_fn), up to three arguments; a row with a null for an argument that is no `Option` does
    /// not count. The state should be small: what it holds on the heap is not accounted for. For one that grows, or that
    /// takes columns, there is [`register_aggregate`](Self::register_aggregate).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// session.register_fold(
    ///     "weighted",
    ///     || (0.0, 0.0),
    ///     |state: &mut (f64, f64), value: f64, weight: f64| {
    ///         state.0 += value * weight;
    ///         state.1 += weight;
    ///     },
    ///     |state| (state.1 != 0.0).then(|| state.0 / state.1),
    /// )?;
    /// let means = session.sql("SELECT weighted(n, 2 * n) FROM range(3) AS t(n) WHERE n > 0")?;
    /// assert_eq!(means.rows::<f64>()?.collect::<partita::Result<Vec<_>>>()?, [5.0 / 3.0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for a name that is built in, or none.
    pub fn register_fold<S, R, Shape>(
        &self,
        name: &str,
        begin: impl Fn() -> S + Send + Sync + 'static,
        step: impl Step<S, Shape>,
        end: impl Fn(&S) -> R + Send + Sync + 'static,
    ) -> Result<Function>
    where
        S: Send + Sync + 'static,
        R: Returned + 'static,
        Shape: 'static,
    {
        let function = AggregateFunction::fold(begin, step, end);
        Ok(Function(Kind::Aggregate(self.0.front.add_aggregate(name, function)?)))
    }

    /// Gives an aggregate function a name for SQL, and returns it for expressions; it works over windows, too, and with
    /// DISTINCT, FILTER and ORDER BY. Each group begins with a state that `begin` makes.
    ///
    /// The rows of a group come together by a sort that spills, so any number of groups takes the memory of one state a
    /// thread. What a state [holds](Accumulate::held) is accounted for, and where the budget has no room for it, the
    /// query fails.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::array::{ArrayRef, AsArray};
    /// use arrow::datatypes::{DataType, Float64Type};
    /// use partita::functions::Accumulate;
    /// use partita::prelude::*;
    ///
    /// /// The longest run of values that grow.
    /// #[derive(Default)]
    /// struct Rise(f64, i64, i64);
    ///
    /// impl Accumulate for Rise {
    ///     fn update(&mut self, columns: &[ArrayRef]) -> partita::Result<()> {
    ///         for value in columns[0].as_primitive::<Float64Type>().iter().flatten() {
    ///             self.1 = if value > self.0 { self.1 + 1 } else { 1 };
    ///             (self.0, self.2) = (value, self.2.max(self.1));
    ///         }
    ///         Ok(())
    ///     }
    ///
    ///     fn value(&self) -> partita::Result<ScalarValue> {
    ///         Ok(ScalarValue::Int64(Some(self.2)))
    ///     }
    /// }
    ///
    /// let session = Session::builder().build()?;
    /// let rise = session.register_aggregate("rise", &[DataType::Float64], DataType::Int64, Rise::default)?;
    /// let prices = session.sql("SELECT * FROM (VALUES (1.0), (2.0), (3.0), (2.5)) AS t(price)")?;
    /// let longest = prices.group_by([]).agg([rise.call([col("price")]).alias("longest")])?;
    /// assert_eq!(longest.filter(col("longest").eq(lit(3)))?.count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for a name that is built in, or none.
    pub fn register_aggregate<S: Accumulate + 'static>(
        &self,
        name: &str,
        arguments: &[DataType],
        returns: DataType,
        begin: impl Fn() -> S + Send + Sync + 'static,
    ) -> Result<Function> {
        let function = AggregateFunction::new(arguments, returns, begin);
        Ok(Function(Kind::Aggregate(self.0.front.add_aggregate(name, function)?)))
    }

    /// Gives a function that makes tables a name for FROM. It is called with the values of its arguments, which must be
    /// constants, while a query is bound, perhaps more than once; the rows come from the partitions of the [`Supply`] that
    /// it returns, batch by batch, while the query runs.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::array::{Int64Array, RecordBatch};
    /// use arrow::datatypes::{DataType, Field, Schema};
    /// use partita::functions::Supply;
    /// use partita::prelude::*;
    /// use std::sync::Arc;
    ///
    /// let session = Session::builder().build()?;
    /// session.register_table_function("squares", &[DataType::Int64], |values| {
    ///     let most = i64::try_from(values[0].clone()).unwrap_or(0);
    ///     let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    ///     let columns = schema.clone();
    ///     Ok(Supply::new("squares", schema, 1, move |_partition| {
    ///         let columns = columns.clone();
    ///         let batch = move |n: i64| {
    ///             Ok(RecordBatch::try_new(columns.clone(), vec![Arc::new(Int64Array::from(vec![n * n]))])?)
    ///         };
    ///         Ok((0..most).map(batch))
    ///     }))
    /// })?;
    /// assert_eq!(session.sql("SELECT n FROM squares(1 + 9) WHERE n > 50")?.count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for a name that is built in, or none.
    pub fn register_table_function(
        &self,
        name: &str,
        arguments: &[DataType],
        make: impl Fn(&[ScalarValue]) -> Result<Supply> + Send + Sync + 'static,
    ) -> Result<()> {
        self.0.front.add_table_function(name, TableFunction::new(arguments, make))
    }
}
