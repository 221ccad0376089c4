//! Dask's first program with delayed functions: each number of a list is taken two ways, and all is summed up:
//! `inc_double_add 1 2 3 4 5`.

use partita::prelude::*;

fn inc(x: i64) -> i64 {
    x + 1
}

fn double(x: i64) -> i64 {
    x * 2
}

fn main() -> Result<()> {
    let data: Vec<i64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (inc, double) = (delayed(inc), delayed(double));
    let add = delayed(|x: i64, y: i64| x + y).name("add");
    let sum = delayed(|all: &[i64]| all.iter().sum::<i64>()).name("sum");

    // Nothing runs here: a graph is made.
    let mut output = Vec::new();
    for x in data {
        let (a, b) = (inc.call(x), double.call(x));
        output.push(add.call((a, b)));
    }
    let total = sum.call(output);

    print!("{}", total.visualize());
    let session = Session::builder().build()?;
    println!("total {}", total.compute(&session)?);
    Ok(())
}
