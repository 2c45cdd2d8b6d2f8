//! Analysis of return types by their tokens.

use syn::visit_mut::{VisitMut, visit_type_mut};
use syn::{GenericArgument, PathArguments, Type, TypeParamBound, parse_quote};

/// Returns the type without the groups and parentheses around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// Replaces each `impl Trait` in the type with `replacement`, because `impl Trait` is not allowed in a body.
fn without_impl(ty: &Type, replacement: &Type) -> Type {
    struct ImplReplacer<'a>(&'a Type);
    impl VisitMut for ImplReplacer<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::ImplTrait(_) = ty {
                *ty = self.0.clone();
            } else {
                visit_type_mut(self, ty);
            }
        }
    }
    let mut ty = ty.clone();
    ImplReplacer(replacement).visit_type_mut(&mut ty);
    ty
}

/// Returns the type with `_` for each `impl Trait`, for positions where the compiler infers the type.
pub(crate) fn inferred(ty: &Type) -> Type {
    without_impl(ty, &parse_quote!(_))
}

/// Returns the type with `()` for each `impl Trait`. For positions that need only the error type, and where
/// the compiler could not infer `_`.
pub(crate) fn for_errors(ty: &Type) -> Type {
    without_impl(ty, &parse_quote!(()))
}

/// The return type of a function without `async` that returns a future.
pub(crate) struct ReturnedFuture {
    /// The type `R` in `Output = R`.
    pub(crate) output: Type,
    /// Whether the type is `Pin<Box<dyn Future>>` rather than `impl Future`.
    pub(crate) boxed: bool,
}

impl ReturnedFuture {
    /// Recognises `impl Future<Output = R>` and `Pin<Box<dyn Future<Output = R>>>`.
    pub(crate) fn parse(ty: &Type) -> Option<Self> {
        match bare(ty) {
            Type::ImplTrait(future) => Some(Self {
                output: future_output(future.bounds.iter())?,
                boxed: false,
            }),
            pinned => {
                let Type::TraitObject(future) =
                    bare(generic_argument(generic_argument(pinned, "Pin")?, "Box")?)
                else {
                    return None;
                };
                Some(Self {
                    output: future_output(future.bounds.iter())?,
                    boxed: true,
                })
            }
        }
    }
}

/// Returns the type `T` in `name<T>`.
fn generic_argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
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

/// Returns the type `R` in a bound `Future<Output = R>`.
fn future_output<'a>(mut bounds: impl Iterator<Item = &'a TypeParamBound>) -> Option<Type> {
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
