//! Analysis of return types by their tokens.

use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::visit_mut::{VisitMut, visit_type_mut};
use syn::{
    GenericArgument, PathArguments, PathSegment, Token, Type, TypeImplTrait, TypeParamBound,
    parse_quote,
};

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

/// Returns the type with `()` for each `impl Trait`, and with `_` if the `impl Trait` is the error type. For
/// positions that need only the error type, and where the compiler could not infer `_`.
pub(crate) fn for_errors(ty: &Type) -> Type {
    let mut ty = ty.clone();
    if let Some(error) = error_type(&mut ty) {
        *error = inferred(error);
    }
    without_impl(&ty, &parse_quote!(()))
}

/// Returns whether the type contains an `impl Trait`.
pub(crate) fn has_impl(ty: &Type) -> bool {
    struct ImplFinder(bool);
    impl Visit<'_> for ImplFinder {
        fn visit_type_impl_trait(&mut self, _: &TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut finder = ImplFinder(false);
    finder.visit_type(ty);
    finder.0
}

/// Returns whether the error type of a `Result<T, E>` contains an `impl Trait`.
pub(crate) fn hides_error(ty: &Type) -> bool {
    error_type(&mut ty.clone()).is_some_and(|error| has_impl(error))
}

/// Returns the type `E` in `Result<T, E>`.
fn error_type(ty: &mut Type) -> Option<&mut Type> {
    let Type::Path(path) = ty else {
        return match ty {
            Type::Group(group) => error_type(&mut group.elem),
            Type::Paren(paren) => error_type(&mut paren.elem),
            _ => None,
        };
    };
    let PathArguments::AngleBracketed(arguments) = &mut path.path.segments.last_mut()?.arguments
    else {
        return None;
    };
    let types = arguments
        .args
        .iter_mut()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        });
    { types }.nth(1)
}

/// The return type of a function without `async` that returns a future.
pub(crate) struct ReturnedFuture {
    /// The type `R` in `Output = R`.
    pub(crate) output: Type,
    /// Whether the type is a boxed future rather than `impl Future`.
    pub(crate) boxed: bool,
}

impl ReturnedFuture {
    /// Recognises `impl Future<Output = R>`, `Pin<Box<dyn Future<Output = R>>>`, and the aliases
    /// `BoxFuture` and `LocalBoxFuture` of futures-util.
    pub(crate) fn parse(ty: &Type) -> Option<Self> {
        if let Some((bounds, boxed)) = opaque_or_boxed(ty) {
            let output = associated_type(bounds.iter(), "Future", "Output")?;
            return Some(Self { output, boxed });
        }
        let alias = last_segment(ty)?;
        let is_alias = alias.ident == "BoxFuture" || alias.ident == "LocalBoxFuture";
        let output = is_alias.then(|| type_arguments(alias).next()).flatten()?;
        Some(Self {
            output: output.clone(),
            boxed: true,
        })
    }
}

/// Recognises `impl Stream`, `Pin<Box<dyn Stream>>`, `BoxStream` and `LocalBoxStream`.
pub(crate) fn is_stream(ty: &Type) -> bool {
    if let Some((bounds, _)) = opaque_or_boxed(ty) {
        return bounds.iter().any(|bound| {
            trait_segment(bound)
                .is_some_and(|last| last.ident == "Stream" || last.ident == "TryStream")
        });
    }
    last_segment(ty).is_some_and(|last| last.ident == "BoxStream" || last.ident == "LocalBoxStream")
}

type Bounds = Punctuated<TypeParamBound, Token![+]>;

/// Returns the bounds of `impl Bounds` or `Pin<Box<dyn Bounds>>`, and whether the type is boxed.
fn opaque_or_boxed(ty: &Type) -> Option<(&Bounds, bool)> {
    if let Type::ImplTrait(opaque) = bare(ty) {
        return Some((&opaque.bounds, false));
    }
    let pinned = generic_argument(ty, "Pin")?;
    match bare(generic_argument(pinned, "Box")?) {
        Type::TraitObject(object) => Some((&object.bounds, true)),
        _ => None,
    }
}

/// Returns the type `T` in `name<T>`.
fn generic_argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let last = last_segment(ty).filter(|last| last.ident == name)?;
    type_arguments(last).next()
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match bare(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

fn type_arguments(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments
        .into_iter()
        .flatten()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}

fn trait_segment(bound: &TypeParamBound) -> Option<&PathSegment> {
    match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    }
}

/// Returns the type `R` in a bound `name<associated = R>`.
fn associated_type<'a>(
    mut bounds: impl Iterator<Item = &'a TypeParamBound>,
    name: &str,
    associated: &str,
) -> Option<Type> {
    bounds.find_map(|bound| {
        let segment = trait_segment(bound).filter(|last| last.ident == name)?;
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(output) if output.ident == associated => {
                Some(output.ty.clone())
            }
            _ => None,
        })
    })
}
