//! A tree reduction: neighbours are merged pair by pair until one is left, so few parts are in memory at one time:
//! `tree_reduction PARTS ROWS MEMORY`.

use partita::prelude::*;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::new(ErrorKind::Usage, "tree_reduction PARTS ROWS MEMORY");
    let mut number = || arguments.next().and_then(|n| n.parse::<u64>().ok()).ok_or_else(usage);
    let (parts, rows) = (number()?, number()?);
    let session = Session::builder().memory(arguments.next().ok_or_else(usage)?.as_str())?.build()?;

    let load = delayed(move |part: u64| (0..rows).map(|row| (part * rows + row) % 1009).collect::<Vec<u64>>());
    let merge = delayed(|a: Vec<u64>, b: &Vec<u64>| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<u64>>());

    let mut level: Vec<Delayed<Vec<u64>>> = (0..parts).map(|part| load.call(part)).collect();
    while level.len() > 1 {
        let pairs = level.chunks(2).map(|pair| match pair {
            [a, b] => merge.call((a, b)),
            rest => rest[0].clone(),
        });
        level = pairs.collect();
    }
    let sum = delayed(|all: Vec<u64>| all.iter().sum::<u64>());
    let total = sum.call(level.first().ok_or_else(usage)?);
    println!("the sum of {parts} parts is {}", total.compute(&session)?);
    Ok(())
}
