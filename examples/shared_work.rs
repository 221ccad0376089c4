//! Work that several results need runs once: a file is read, and then counted, sorted and searched, one after the other or as
//! futures: `shared_work FILE WORD`.

use partita::prelude::*;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(word)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(ErrorKind::Usage, "shared_work FILE WORD"));
    };
    let session = Session::builder().build()?;

    let read = delayed(|path: String| -> std::io::Result<Vec<String>> {
        println!("reading {path}");
        Ok(std::fs::read_to_string(path)?.lines().map(String::from).collect())
    });
    let count = delayed(|lines: &[String]| lines.len());
    let longest = delayed(|lines: &[String]| lines.iter().map(String::len).max().unwrap_or(0));
    let having = delayed(|lines: &[String], word: &str| lines.iter().filter(|line| line.contains(word)).count());

    let lines = read.call(path.clone());
    let (all, most, found) =
        compute_all(&session, (count.call(&lines), longest.call(&lines), having.call((&lines, word.clone()))))?;
    println!("{all} lines, the longest of {most} bytes, {found} with {word}");

    // The same while the program goes on: the file is read by one future, which the others need.
    let lines = session.start(&read.retries(2).call(path));
    let all = session.submit(|lines: &[String]| lines.len(), &lines);
    let words: Vec<&str> = word.split(',').collect();
    let found = session.map(
        |lines: &[String], word: &str| lines.iter().filter(|line| line.contains(word)).count(),
        words.iter().map(|word| (&lines, *word)),
    );
    println!("{} lines, {:?} with {words:?}", all.result()?, session.gather(&found)?);
    Ok(())
}
