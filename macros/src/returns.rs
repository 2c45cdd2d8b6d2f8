//! What a function returns, as far as its signature shows it.

use syn::visit_mut::{VisitMut, visit_type_mut};
use syn::{GenericArgument, PathArguments, Type, TypeParamBound, parse_quote};

/// A type without the groups and parentheses around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// Where an `impl Trait` stands in the type, `instead` does: such types cannot be written in a body.
pub(crate) fn without_impl(ty: &Type, instead: &Type) -> Type {
    struct Replace<'a>(&'a Type);
    impl VisitMut for Replace<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::ImplTrait(_) = ty {
                *ty = self.0.clone();
            } else {
                visit_type_mut(self, ty);
            }
        }
    }
    let mut ty = ty.clone();
    Replace(instead).visit_type_mut(&mut ty);
    ty
}

/// The same, left to inference.
pub(crate) fn inferred(ty: &Type) -> Type {
    without_impl(ty, &parse_quote!(_))
}

/// The same, where nothing is there to infer it from, and only the error matters.
pub(crate) fn for_errors(ty: &Type) -> Type {
    without_impl(ty, &parse_quote!(()))
}

/// A future that a sync function returns.
pub(crate) struct Returned {
    pub(crate) output: Type,
    /// `Pin<Box<dyn Future>>`, and not `impl Future`.
    pub(crate) boxed: bool,
}

impl Returned {
    /// `impl Future<Output = R>` or `Pin<Box<dyn Future<Output = R>>>`.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        match bare(ty) {
            Type::ImplTrait(future) => Some(Self {
                output: output_of(future.bounds.iter())?,
                boxed: false,
            }),
            pinned => {
                let Type::TraitObject(future) = bare(argument(argument(pinned, "Pin")?, "Box")?)
                else {
                    return None;
                };
                Some(Self {
                    output: output_of(future.bounds.iter())?,
                    boxed: true,
                })
            }
        }
    }
}

/// The `T` of `name<T>`.
fn argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = bare(ty) else {
        return None;
    };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn output_of<'a>(mut bounds: impl Iterator<Item = &'a TypeParamBound>) -> Option<Type> {
    bounds.find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let future = bound
            .path
            .segments
            .last()
            .filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &future.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(output) if output.ident == "Output" => {
                Some(output.ty.clone())
            }
            _ => None,
        })
    })
}
