//! The short way for functions whose values are strings and byte lists: they are copied whole.
//!
//! wasmtime's general values cost some forty bytes and more for each byte of a list; these cost one.

use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentNamedList, Lift, Lower, Type};

use super::{Malformed, Reader, Writer};

/// Values of which some tuple consists.
pub(crate) trait Plain: ComponentNamedList + Lift + Lower + Send + Sync + 'static {
    fn write(self, writer: &mut Writer);
    fn read(reader: &mut Reader) -> Result<Self, Malformed>;

    fn to_bytes(self) -> bytes::Bytes {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.finish()
    }

    fn from_bytes(bytes: bytes::Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let values = Self::read(&mut reader)?;
        reader.end()?;
        Ok(values)
    }
}

/// One such value.
pub(crate) trait Item:
    wasmtime::component::ComponentType + Lift + Lower + Send + Sync + 'static
{
    fn write(self, writer: &mut Writer);
    fn read(reader: &mut Reader) -> Result<Self, Malformed>;
}

impl Item for String {
    fn write(self, writer: &mut Writer) {
        writer.string(&self);
    }

    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        reader.string()
    }
}

impl Item for Vec<u8> {
    fn write(self, writer: &mut Writer) {
        writer.bytes(&self);
    }

    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(reader.bytes()?.into())
    }
}

impl Item for Result<Vec<u8>, String> {
    fn write(self, writer: &mut Writer) {
        writer.bool(self.is_err());
        match self {
            Ok(bytes) => writer.bytes(&bytes),
            Err(text) => writer.string(&text),
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(if reader.bool()? { Err(reader.string()?) } else { Ok(reader.bytes()?.into()) })
    }
}

impl Plain for () {
    fn write(self, _: &mut Writer) {}

    fn read(_: &mut Reader) -> Result<Self, Malformed> {
        Ok(())
    }
}

impl<A: Item> Plain for (A,) {
    fn write(self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok((A::read(reader)?,))
    }
}

impl<A: Item, B: Item> Plain for (A, B) {
    fn write(self, writer: &mut Writer) {
        self.0.write(writer);
        self.1.write(writer);
    }

    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok((A::read(reader)?, B::read(reader)?))
    }
}

/// Whether a type is one of those that are copied whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Bytes,
    /// `result<list<u8>, string>`.
    BytesOrText,
}

impl Shape {
    fn of(ty: &Type) -> Option<Self> {
        match ty {
            Type::String => Some(Self::Text),
            Type::List(list) if list.ty() == Type::U8 => Some(Self::Bytes),
            Type::Result(result) => {
                let ok = result.ok().as_ref().and_then(Self::of)?;
                let err = result.err().as_ref().and_then(Self::of)?;
                (ok == Self::Bytes && err == Self::Text).then_some(Self::BytesOrText)
            }
            _ => None,
        }
    }
}

/// The shapes of a function's parameters and results, if all have one.
pub(crate) fn shapes(function: &ComponentFunc) -> Option<(Vec<Shape>, Vec<Shape>)> {
    let params = function.params().map(|(_, ty)| Shape::of(&ty)).collect::<Option<Vec<_>>>()?;
    let results = function.results().map(|ty| Shape::of(&ty)).collect::<Option<Vec<_>>>()?;
    Some((params, results))
}

/// Evaluates `$then` with the tuples `$P` and `$R` that fit `$shapes`, or `$otherwise` if none of the known do.
macro_rules! with_shapes {
    ($shapes:expr, |$P:ident, $R:ident| $then:expr, else $otherwise:expr) => {{
        use $crate::values::plain::Shape::{Bytes, BytesOrText, Text};
        macro_rules! results {
            ($results:expr) => {
                match $results {
                    [] => {
                        type $R = ();
                        $then
                    }
                    [Text] => {
                        type $R = (String,);
                        $then
                    }
                    [Bytes] => {
                        type $R = (Vec<u8>,);
                        $then
                    }
                    [BytesOrText] => {
                        type $R = (Result<Vec<u8>, String>,);
                        $then
                    }
                    _ => $otherwise,
                }
            };
        }
        match $shapes {
            Some((params, results)) => match params.as_slice() {
                [Text] => {
                    type $P = (String,);
                    results!(results.as_slice())
                }
                [Bytes] => {
                    type $P = (Vec<u8>,);
                    results!(results.as_slice())
                }
                [Text, Bytes] => {
                    type $P = (String, Vec<u8>);
                    results!(results.as_slice())
                }
                [Text, Text] => {
                    type $P = (String, String);
                    results!(results.as_slice())
                }
                _ => $otherwise,
            },
            None => $otherwise,
        }
    }};
}
pub(crate) use with_shapes;
