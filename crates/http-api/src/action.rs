//! What an action is: where it is found, what it needs, what runs, and how the document of the API describes it.
//!
//! Each resource lists its actions once ([`Action`]); dispatch and `/openapi.json` both read that list, so that nothing
//! is reachable without being described.

use std::future::Future;
use std::pin::Pin;

use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::call::Call;
use super::envelope::Answer;
use aldis_app::access::Needs;
use aldis_app::{App, Error};

/// Carries an action out.
pub(super) type Run = fn(App, Call) -> Running;
/// An action being carried out.
pub(super) type Running = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// One action of the API.
pub(super) struct Action {
    /// The paths it is found on, the documented one first.
    pub(super) paths: &'static [&'static str],
    /// The values of `action` that mean it, the documented one first.
    pub(super) names: &'static [&'static str],
    /// What it needs.
    pub(super) needs: Needs,
    /// Whether GET will do.
    pub(super) reads: bool,
    /// The parameter, or field of the body, whose absence means all.
    pub(super) all_without: Option<&'static str>,
    /// What runs.
    pub(super) run: Run,
    /// Its description.
    pub(super) doc: Doc,
}

impl Action {
    /// An action that changes nothing: GET or POST, every role.
    pub(super) fn read(paths: &'static [&'static str], names: &'static [&'static str], run: Run, doc: Doc) -> Self {
        Self {
            paths,
            names,
            needs: Needs::Read,
            reads: true,
            all_without: None,
            run,
            doc,
        }
    }

    /// An action that changes something: POST, operators and administrators.
    pub(super) fn change(paths: &'static [&'static str], names: &'static [&'static str], run: Run, doc: Doc) -> Self {
        Self {
            paths,
            names,
            needs: Needs::Change,
            reads: false,
            all_without: None,
            run,
            doc,
        }
    }

    /// The same action, which means all where `name` is absent.
    pub(super) fn all_without(self, name: &'static str) -> Self {
        Self {
            all_without: Some(name),
            ..self
        }
    }

    /// The parameters that may stand in its query.
    pub(super) fn known(&self) -> impl Iterator<Item = &'static str> {
        let own = self.doc.parameters.iter().map(|parameter| parameter.name);
        ["action", "orgId"].into_iter().chain(own)
    }

    /// Whether a parameter may stand in its query.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.known().any(|known| known == name)
    }

    /// The same action for administrators who sign their calls, also where unsigned ones are accepted.
    pub(super) fn for_signed_administrators(self) -> Self {
        Self {
            needs: Needs::SignedAdmin,
            ..self
        }
    }
}

/// A query parameter as it is described.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) text: &'static str,
}

/// What stands around `data` in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Plain,
    /// `pagination`.
    Page,
    /// `successSize` and `totalSize`.
    Batch,
}

/// How the document describes an action.
pub(super) struct Doc {
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) idempotent: bool,
    pub(super) body: Option<RefOr<Schema>>,
    pub(super) answer: Option<RefOr<Schema>>,
    pub(super) shape: Shape,
    /// Everything that the two refer to.
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Doc {
    /// A description with nothing but its summary; `orgId` is added to every action.
    pub(super) fn new(summary: &'static str) -> Self {
        Self {
            summary,
            parameters: Vec::new(),
            idempotent: false,
            body: None,
            answer: None,
            shape: Shape::Plain,
            schemas: Vec::new(),
        }
    }

    /// A query parameter that is mandatory.
    pub(super) fn needs(self, name: &'static str, text: &'static str) -> Self {
        self.parameter(name, true, text)
    }

    /// A query parameter that may be absent.
    pub(super) fn takes(self, name: &'static str, text: &'static str) -> Self {
        self.parameter(name, false, text)
    }

    fn parameter(mut self, name: &'static str, required: bool, text: &'static str) -> Self {
        self.parameters.push(Parameter { name, required, text });
        self
    }

    /// The header `Idempotency-Key` is honoured.
    pub(super) fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The body's type.
    pub(super) fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some(self.reference::<T>());
        self
    }

    /// The type of `data`.
    pub(super) fn answer<T: ToSchema>(mut self) -> Self {
        self.answer = Some(self.reference::<T>());
        self
    }

    /// `data` is a page of these.
    pub(super) fn page<T: ToSchema>(mut self) -> Self {
        self.shape = Shape::Page;
        let whole = self.reference::<T>();
        let cropped = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("With `projection`: only the fields that it names"));
        let element = AnyOfBuilder::new().item(whole).item(cropped);
        self.answer = Some(ArrayBuilder::new().items(element).into());
        self
    }

    /// `data` has one of these per entry.
    pub(super) fn batch<T: ToSchema>(mut self) -> Self {
        self.shape = Shape::Batch;
        self.list::<T>()
    }

    fn list<T: ToSchema>(mut self) -> Self {
        let element = self.reference::<T>();
        self.answer = Some(ArrayBuilder::new().items(element).into());
        self
    }

    /// A type with a name of its own is described once, and referred to.
    fn reference<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        let schema = T::schema();
        let is_struct = matches!(&schema, RefOr::T(Schema::Object(object)) if !object.properties.is_empty());
        if !is_struct {
            return schema;
        }
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), schema));
        RefOr::Ref(utoipa::openapi::Ref::from_schema_name(name))
    }
}
