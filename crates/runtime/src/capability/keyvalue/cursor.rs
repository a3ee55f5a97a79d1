//! Cursors of the first draft, which are numbers, for stores whose cursors are text.

use super::types::StoreError;

/// Numbers from here on stand for a text in the table; below it they are the text itself, as with Redis.
const TABLE: u64 = 1 << 63;
/// Pages of one listing through one bucket handle whose cursors are remembered.
const MOST: usize = 100_000;

/// The cursors given out through one bucket handle; such a number means nothing to another handle.
#[derive(Debug, Default)]
pub(super) struct Cursors(Vec<String>);

impl Cursors {
    /// A number that stands for `text`.
    pub(super) fn number_of(&mut self, text: String) -> Result<u64, StoreError> {
        if let Ok(number) = text.parse::<u64>()
            && number < TABLE
            && number.to_string() == text
        {
            return Ok(number);
        }
        if self.0.len() >= MOST {
            return Err(StoreError::Other("too many pages: open the bucket again".to_owned()));
        }
        self.0.push(text);
        Ok(TABLE + (self.0.len() as u64 - 1))
    }

    /// The text that `number` stands for.
    pub(super) fn text_of(&self, number: u64) -> Result<String, StoreError> {
        if number < TABLE {
            return Ok(number.to_string());
        }
        let index = usize::try_from(number - TABLE).ok();
        let text = index.and_then(|index| self.0.get(index));
        text.cloned().ok_or_else(|| StoreError::Other(format!("{number} is no cursor of this bucket handle")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cursor_comes_back() {
        let mut cursors = Cursors::default();
        let texts = ["0", "17", "017", "+1", "key/ä", "", "18446744073709551615", "9223372036854775808"];
        let numbers: Vec<u64> =
            texts.iter().map(|text| cursors.number_of((*text).to_owned()).unwrap()).collect();
        for (text, number) in texts.iter().zip(numbers) {
            assert_eq!(cursors.text_of(number).unwrap(), *text);
        }
        assert!(cursors.text_of(u64::MAX).is_err());
    }
}
