//! Values whose types are known only once a component is loaded.

use wasmtime::component::{Type, Val};

use super::{Malformed, Reader, Writer};

/// Deepest nesting of types that is followed.
const DEEPEST: u32 = 100;
/// Most values that are read from one message: each takes many times its bytes on the wire.
const MOST: u32 = 1 << 20;

/// What cannot cross a link in `ty`, if anything.
pub(crate) fn unportable(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Own(_) | Type::Borrow(_) => Some("a resource"),
        Type::Future(_) => Some("a future"),
        Type::Stream(_) => Some("a stream"),
        Type::ErrorContext => Some("an error context"),
        Type::Map(_) => Some("a map"),
        Type::FixedLengthList(_) => Some("a list of fixed length"),
        Type::List(list) => unportable(&list.ty()),
        Type::Option(option) => unportable(&option.ty()),
        Type::Record(record) => record.fields().find_map(|field| unportable(&field.ty)),
        Type::Tuple(tuple) => tuple.types().find_map(|ty| unportable(&ty)),
        Type::Variant(variant) => variant.cases().find_map(|case| case.ty.and_then(|ty| unportable(&ty))),
        Type::Result(result) => [result.ok(), result.err()].iter().flatten().find_map(unportable),
        _ => None,
    }
}

/// Writes `value`, which is of the type `ty`.
pub(crate) fn encode(writer: &mut Writer, value: &Val, ty: &Type) -> Result<(), Malformed> {
    const WRONG: Malformed = Malformed("a value is not of its type");
    match (value, ty) {
        (Val::Bool(value), Type::Bool) => writer.bool(*value),
        (Val::U8(value), Type::U8) => writer.u8(*value),
        (Val::S8(value), Type::S8) => writer.s8(*value),
        (Val::U16(value), Type::U16) => writer.u64(u64::from(*value)),
        (Val::U32(value), Type::U32) => writer.u64(u64::from(*value)),
        (Val::U64(value), Type::U64) => writer.u64(*value),
        (Val::S16(value), Type::S16) => writer.s64(i64::from(*value)),
        (Val::S32(value), Type::S32) => writer.s64(i64::from(*value)),
        (Val::S64(value), Type::S64) => writer.s64(*value),
        (Val::Float32(value), Type::Float32) => writer.f32(*value),
        (Val::Float64(value), Type::Float64) => writer.f64(*value),
        (Val::Char(value), Type::Char) => writer.char(*value),
        (Val::String(value), Type::String) => writer.string(value),
        (Val::List(values), Type::List(list)) => {
            let ty = list.ty();
            writer.u64(values.len() as u64);
            for value in values {
                encode(writer, value, &ty)?;
            }
        }
        (Val::Record(values), Type::Record(record)) => {
            for ((_, value), field) in values.iter().zip(record.fields()) {
                encode(writer, value, &field.ty)?;
            }
        }
        (Val::Tuple(values), Type::Tuple(tuple)) => {
            for (value, ty) in values.iter().zip(tuple.types()) {
                encode(writer, value, &ty)?;
            }
        }
        (Val::Variant(name, value), Type::Variant(variant)) => {
            let mut cases = variant.cases().enumerate();
            let (index, case) = cases.find(|(_, case)| case.name == name).ok_or(WRONG)?;
            writer.u64(index as u64);
            encode_payload(writer, value.as_deref(), case.ty.as_ref())?;
        }
        (Val::Enum(name), Type::Enum(ty)) => {
            let index = ty.names().position(|case| case == name).ok_or(WRONG)?;
            writer.u64(index as u64);
        }
        (Val::Option(value), Type::Option(option)) => {
            writer.bool(value.is_some());
            if let Some(value) = value {
                encode(writer, value, &option.ty())?;
            }
        }
        (Val::Result(value), Type::Result(result)) => {
            writer.bool(value.is_err());
            let (value, ty) = match value {
                Ok(value) => (value, result.ok()),
                Err(value) => (value, result.err()),
            };
            encode_payload(writer, value.as_deref(), ty.as_ref())?;
        }
        (Val::Flags(set), Type::Flags(flags)) => {
            let mut bits = vec![0_u8; flags.names().len().div_ceil(8)];
            for (index, _) in flags.names().enumerate().filter(|(_, name)| set.iter().any(|set| set == name))
            {
                bits[index / 8] |= 1 << (index % 8);
            }
            writer.raw(&bits);
        }
        _ => return Err(WRONG),
    }
    Ok(())
}

fn encode_payload(writer: &mut Writer, value: Option<&Val>, ty: Option<&Type>) -> Result<(), Malformed> {
    match (value, ty) {
        (Some(value), Some(ty)) => encode(writer, value, ty),
        (None, None) => Ok(()),
        _ => Err(Malformed("a value is not of its type")),
    }
}

/// Reads values of `types`, one after the other, and nothing more.
pub(crate) fn decode_all(reader: Reader, types: &[Type]) -> Result<Vec<Val>, Malformed> {
    let mut decoder = Decoder { reader, left: MOST };
    let values = types.iter().map(|ty| decoder.value(ty, 0)).collect::<Result<_, _>>()?;
    decoder.reader.end()?;
    Ok(values)
}

/// Writes `values` of `types`, one after the other.
pub(crate) fn encode_all(values: &[Val], types: &[Type]) -> Result<bytes::Bytes, Malformed> {
    let mut writer = Writer::default();
    for (value, ty) in values.iter().zip(types) {
        encode(&mut writer, value, ty)?;
    }
    Ok(writer.finish())
}

struct Decoder {
    reader: Reader,
    /// Values that may still be read.
    left: u32,
}

impl Decoder {
    fn value(&mut self, ty: &Type, depth: u32) -> Result<Val, Malformed> {
        self.left = self.left.checked_sub(1).ok_or(Malformed("too many values"))?;
        if depth > DEEPEST {
            return Err(Malformed("too deep"));
        }
        let reader = &mut self.reader;
        Ok(match ty {
            Type::Bool => Val::Bool(reader.bool()?),
            Type::U8 => Val::U8(reader.u8()?),
            Type::S8 => Val::S8(reader.s8()?),
            Type::U16 => Val::U16(reader.unsigned()?),
            Type::U32 => Val::U32(reader.unsigned()?),
            Type::U64 => Val::U64(reader.u64()?),
            Type::S16 => Val::S16(reader.signed()?),
            Type::S32 => Val::S32(reader.signed()?),
            Type::S64 => Val::S64(reader.s64()?),
            Type::Float32 => Val::Float32(reader.f32()?),
            Type::Float64 => Val::Float64(reader.f64()?),
            Type::Char => Val::Char(reader.char()?),
            Type::String => Val::String(reader.string()?),
            Type::List(list) => {
                let (ty, length) = (list.ty(), reader.length()?);
                let mut values = Vec::new();
                for _ in 0..length {
                    values.push(self.value(&ty, depth + 1)?);
                }
                Val::List(values)
            }
            Type::Record(record) => {
                let mut values = Vec::new();
                for field in record.fields() {
                    values.push((field.name.to_owned(), self.value(&field.ty, depth + 1)?));
                }
                Val::Record(values)
            }
            Type::Tuple(tuple) => {
                let mut values = Vec::new();
                for ty in tuple.types() {
                    values.push(self.value(&ty, depth + 1)?);
                }
                Val::Tuple(values)
            }
            Type::Variant(variant) => {
                let index: usize = reader.unsigned()?;
                let case = variant.cases().nth(index).ok_or(Malformed("no such case"))?;
                Val::Variant(case.name.to_owned(), self.payload(case.ty.as_ref(), depth)?)
            }
            Type::Enum(names) => {
                let index: usize = reader.unsigned()?;
                Val::Enum(names.names().nth(index).ok_or(Malformed("no such case"))?.to_owned())
            }
            Type::Option(option) => {
                let ty = reader.bool()?.then(|| option.ty());
                Val::Option(self.payload(ty.as_ref(), depth)?)
            }
            Type::Result(result) => {
                if reader.bool()? {
                    Val::Result(Err(self.payload(result.err().as_ref(), depth)?))
                } else {
                    Val::Result(Ok(self.payload(result.ok().as_ref(), depth)?))
                }
            }
            Type::Flags(flags) => {
                let bits = reader.raw(flags.names().len().div_ceil(8))?;
                let set = |index: usize| bits[index / 8] & (1 << (index % 8)) != 0;
                let names = flags.names().enumerate().filter(|(index, _)| set(*index));
                Val::Flags(names.map(|(_, name)| name.to_owned()).collect())
            }
            _ => return Err(Malformed("such a value cannot be sent")),
        })
    }

    fn payload(&mut self, ty: Option<&Type>, depth: u32) -> Result<Option<Box<Val>>, Malformed> {
        ty.map(|ty| self.value(ty, depth + 1).map(Box::new)).transpose()
    }
}
