//! Changes to code that leave every line where it is.

use oxc::span::Span;

/// What is to change.
#[derive(Debug)]
pub(super) struct Edits<'c> {
    pub(super) code: &'c str,
    blanks: Vec<Span>,
    /// ASCII characters in place of one byte each.
    over: Vec<(u32, char)>,
    inserts: Vec<(u32, String)>,
}

impl<'c> Edits<'c> {
    pub(super) fn new(code: &'c str) -> Self {
        Self {
            code,
            blanks: Vec::new(),
            over: Vec::new(),
            inserts: Vec::new(),
        }
    }

    pub(super) fn text(&self, start: u32, end: u32) -> &'c str {
        self.code
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// Puts spaces in place of everything from `start` to `end` but line ends.
    pub(super) fn blank(&mut self, start: u32, end: u32) {
        if start < end {
            self.blanks.push(Span::new(start, end));
        }
    }

    /// Blanks a statement or a class's element. What is before it must not go on after it.
    pub(super) fn drop(&mut self, span: Span) {
        self.blank(span.start, span.end);
        self.over(span.start, ';');
    }

    /// Puts `c` where a blanked byte is.
    pub(super) fn over(&mut self, at: u32, c: char) {
        self.over.push((at, c));
    }

    /// Puts `text` before what is at `at`, after what was put there before.
    pub(super) fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.inserts.push((at, text.into()));
    }

    /// Whether the last blank reaches to `end`.
    pub(super) fn blanked_to(&self, end: u32) -> bool {
        self.blanks.last().is_some_and(|blank| blank.end == end)
    }

    /// The end of the next token if that is `token`: spaces and comments do not count.
    pub(super) fn next_is(&self, mut at: u32, token: char) -> Option<u32> {
        loop {
            let rest = self.code.get(at as usize..)?;
            let skipped = if rest.starts_with("/*") {
                rest.find("*/")? + 2
            } else if rest.starts_with("//") {
                rest.find('\n')?
            } else {
                let first = rest.chars().next()?;
                if !first.is_whitespace() {
                    return (first == token).then_some(at + 1);
                }
                first.len_utf8()
            };
            at += u32::try_from(skipped).ok()?;
        }
    }

    /// Blanks `span` with the comma that may follow it.
    pub(super) fn blank_item(&mut self, span: Span) {
        let end = self.next_is(span.end, ',').unwrap_or(span.end);
        self.blank(span.start, end);
    }

    /// Blanks each of `words` between `start` and `end`, outside of comments. Tells where the
    /// first was.
    pub(super) fn blank_words(&mut self, start: u32, end: u32, words: &[&str]) -> Option<u32> {
        let text = self.text(start, end);
        let mut first = None;
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$');
            let word = &rest[..word.unwrap_or(rest.len())];
            if words.contains(&word) {
                let from = start + u32::try_from(at).unwrap_or_default();
                first = first.or(Some(from));
                self.blank(from, from + u32::try_from(word.len()).unwrap_or_default());
            }
            at += if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if word.is_empty() {
                rest.chars().next().map_or(1, char::len_utf8)
            } else {
                word.len()
            };
        }
        first
    }

    /// The code with all changes.
    pub(super) fn finish(mut self) -> String {
        self.blanks.sort_unstable_by_key(|span| span.start);
        self.over.sort_by_key(|(at, _)| *at);
        self.inserts.sort_by_key(|(at, _)| *at);
        let mut blanks = self.blanks.iter();
        let mut inserts = self.inserts.iter().peekable();
        let mut over = self.over.iter().peekable();
        let mut out = String::with_capacity(self.code.len() + 256);
        let mut blank_until = 0;
        let mut next_blank = blanks.next();
        for (at, c) in self.code.char_indices() {
            while let Some((_, text)) = inserts.next_if(|(to, _)| *to as usize <= at) {
                out.push_str(text);
            }
            while let Some(span) = next_blank.filter(|span| span.start as usize <= at) {
                blank_until = blank_until.max(span.end as usize);
                next_blank = blanks.next();
            }
            let mut instead = None;
            while let Some((_, c)) = over.next_if(|(to, _)| *to as usize <= at) {
                instead = Some(*c);
            }
            let line_end = matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}');
            out.push(match instead {
                Some(instead) => instead,
                None if at < blank_until && !line_end => ' ',
                None => c,
            });
        }
        for (_, text) in inserts {
            out.push_str(text);
        }
        out
    }
}
