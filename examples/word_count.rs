//! The words of text files that occur most often: `word_count 'logs/*.txt.gz' 10`.

use partita::prelude::*;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(count)) = (arguments.next(), arguments.next().and_then(|n| n.parse().ok())) else {
        return Err(Error::new(ErrorKind::Usage, "word_count FILES COUNT"));
    };
    let session = Session::builder().build()?;
    let words = session.read_text(&path)?.flat_map(|line| {
        let words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect::<Vec<_>>()
    });
    // Counted in parallel, whatever fits no memory in scratch; only the most frequent come here.
    for (word, count) in
        words.frequencies().topk_by(count, |(word, count)| (*count, std::cmp::Reverse(word.clone())))?
    {
        println!("{count:>8} {word}");
    }
    Ok(())
}
