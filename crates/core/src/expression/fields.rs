//! Which fields each search knows, under which names, with which operators (docs/api.md, one table per search).

/// What kind of thing a field is; decides how values are read and how they compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// An id or another text, compared exactly. Whole numbers are taken as their digits.
    Text,
    /// A name in several languages: `name`, `name.default` (or `.defaultValue`), `name.zh_CN`.
    Name,
    /// One of a list of words, read in any case: the word that is used, then other spellings of it. Whole numbers are
    /// taken as their digits.
    Status(&'static [&'static [&'static str]]),
    /// A moment.
    Time,
    /// A map of texts, `deviceTags.floor`; numbers and truth values are taken as text.
    TextMap,
    /// A map of values of any type, `deviceAttributes.power`.
    Map,
}

/// A family of operators that a field allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`, `!=`, `in`, `not in`
    Equality,
    /// `<`, `<=`, `>`, `>=`
    Order,
    /// `like`
    Like,
    /// `exists(…)`
    Exists,
}

/// One row of a search's table of fields.
#[derive(Debug)]
pub struct FieldEntry<F> {
    /// The documented name, then the others that are accepted.
    pub names: &'static [&'static str],
    /// The field.
    pub field: F,
    /// Its kind.
    pub kind: FieldKind,
    /// What may be asked of it.
    pub operators: &'static [Operator],
}

/// The fields of one search.
pub trait Field: Copy + 'static {
    /// All of them.
    const TABLE: &'static [FieldEntry<Self>];
}

/// Fields of a search for jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobField {
    /// The job's id, text.
    JobId,
    /// Its name, in several languages.
    Name,
    /// `INIT`, `IN_PROGRESS` or `FINISHED`.
    Status,
    /// When it was created, a moment.
    CreatedAt,
}

/// Fields of a search for tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskField {
    /// The job's id, text.
    JobId,
    /// The task's id, text.
    TaskId,
    /// The device's asset id, text.
    AssetId,
    /// The device's product, text.
    ProductKey,
    /// The device's key, text.
    DeviceKey,
    /// One of the nine task states.
    Status,
    /// When it was created, a moment.
    CreatedAt,
}

/// Fields of a search for single commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandField {
    /// The number of its state, 1 to 7, as text.
    State,
    /// The name of its service or measurement point, in several languages.
    Name,
    /// When it was created, a moment.
    CreatedAt,
}

/// Fields of a search for devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceField {
    /// The asset id, text.
    AssetId,
    /// The product, text.
    ProductKey,
    /// The device's key, text.
    DeviceKey,
    /// The product's thing model, text.
    ModelId,
    /// `Device` or `Gateway`.
    ProductType,
    /// Its name, in several languages.
    Name,
    /// `online`, `offline`, `inactive` or `disabled`.
    Status,
    /// Attributes by identifier, any type.
    Attributes,
    /// Tags by key, text.
    Tags,
}

/// Fields of a search for products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProductField {
    /// The product key, text.
    ProductKey,
    /// The thing model, text.
    ModelId,
    /// Its name, in several languages.
    Name,
    /// Tags by key, text.
    Tags,
}

/// Fields of a search for thing models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelField {
    /// The model's id, text; also with `like`.
    ModelId,
    /// Its name, in several languages.
    Name,
    /// The model's own tags.
    Tags,
    /// Tags of its attributes: one attribute that has the tag is enough.
    AttributeTags,
    /// Tags of its measurement points: one is enough.
    MeasurepointTags,
    /// Tags of its services: one is enough.
    ServiceTags,
    /// Tags of its events: one is enough.
    EventTags,
}

const EQUALITY: &[Operator] = &[Operator::Equality];
const EQUALITY_AND_LIKE: &[Operator] = &[Operator::Equality, Operator::Like];

const fn text<F>(names: &'static [&'static str], field: F) -> FieldEntry<F> {
    FieldEntry {
        names,
        field,
        kind: FieldKind::Text,
        operators: EQUALITY,
    }
}

const fn name<F>(names: &'static [&'static str], field: F) -> FieldEntry<F> {
    FieldEntry {
        names,
        field,
        kind: FieldKind::Name,
        operators: &[Operator::Like],
    }
}

const fn status<F>(
    names: &'static [&'static str],
    field: F,
    words: &'static [&'static [&'static str]],
) -> FieldEntry<F> {
    FieldEntry {
        names,
        field,
        kind: FieldKind::Status(words),
        operators: EQUALITY,
    }
}

const fn time<F>(field: F) -> FieldEntry<F> {
    let operators = &[Operator::Equality, Operator::Order];
    FieldEntry {
        names: &["createTime", "createTimestamp"],
        field,
        kind: FieldKind::Time,
        operators,
    }
}

const fn map<F>(names: &'static [&'static str], field: F, kind: FieldKind) -> FieldEntry<F> {
    FieldEntry {
        names,
        field,
        kind,
        operators: &[Operator::Equality, Operator::Exists],
    }
}

const JOB_STATES: &[&[&str]] = &[&["INIT"], &["IN_PROGRESS"], &["FINISHED"]];

const TASK_STATES: &[&[&str]] = &[
    &["INIT"],
    &["QUEUED"],
    &["PUBLISHED"],
    &["IN_PROGRESS"],
    &["SUCCEED"],
    &["FAILED"],
    &["CANCELLED", "CANCELED"],
    &["RSP_TIMEOUT"],
    &["TTL_TIMEOUT"],
];

/// The states of single commands, by their numbers.
pub const COMMAND_STATES: &[&[&str]] = &[&["1"], &["2"], &["3"], &["4"], &["5"], &["6"], &["7"]];

const DEVICE_STATES: &[&[&str]] = &[&["online"], &["offline"], &["inactive"], &["disabled", "disable"]];

const PRODUCT_TYPES: &[&[&str]] = &[&["Device"], &["Gateway"]];

impl Field for JobField {
    const TABLE: &'static [FieldEntry<Self>] = &[
        text(&["jobId"], Self::JobId),
        name(&["name"], Self::Name),
        status(&["status"], Self::Status, JOB_STATES),
        time(Self::CreatedAt),
    ];
}

impl Field for TaskField {
    const TABLE: &'static [FieldEntry<Self>] = &[
        text(&["jobId"], Self::JobId),
        text(&["taskId", "ztaskId"], Self::TaskId),
        text(&["assetId"], Self::AssetId),
        text(&["productKey", "pk"], Self::ProductKey),
        text(&["deviceKey", "dk"], Self::DeviceKey),
        status(&["status"], Self::Status, TASK_STATES),
        time(Self::CreatedAt),
    ];
}

impl Field for CommandField {
    const TABLE: &'static [FieldEntry<Self>] = &[
        status(&["state"], Self::State, COMMAND_STATES),
        name(&["commandName"], Self::Name),
        time(Self::CreatedAt),
    ];
}

impl Field for DeviceField {
    const TABLE: &'static [FieldEntry<Self>] = &[
        text(&["assetId"], Self::AssetId),
        text(&["productKey", "pk"], Self::ProductKey),
        text(&["deviceKey", "dk"], Self::DeviceKey),
        text(&["modelId"], Self::ModelId),
        status(&["productType"], Self::ProductType, PRODUCT_TYPES),
        name(&["deviceName"], Self::Name),
        status(&["status"], Self::Status, DEVICE_STATES),
        map(&["deviceAttributes"], Self::Attributes, FieldKind::Map),
        map(&["deviceTags"], Self::Tags, FieldKind::TextMap),
    ];
}

impl Field for ProductField {
    const TABLE: &'static [FieldEntry<Self>] = &[
        text(&["productKey", "pk"], Self::ProductKey),
        text(&["modelId"], Self::ModelId),
        name(&["productName"], Self::Name),
        map(&["productTags"], Self::Tags, FieldKind::TextMap),
    ];
}

impl Field for ModelField {
    const TABLE: &'static [FieldEntry<Self>] = &[
        FieldEntry {
            names: &["modelId"],
            field: Self::ModelId,
            kind: FieldKind::Text,
            operators: EQUALITY_AND_LIKE,
        },
        name(&["modelName", "name"], Self::Name),
        map(&["tags"], Self::Tags, FieldKind::TextMap),
        map(&["attribute_tags"], Self::AttributeTags, FieldKind::TextMap),
        map(&["measurepoint_tags"], Self::MeasurepointTags, FieldKind::TextMap),
        map(&["service_tags"], Self::ServiceTags, FieldKind::TextMap),
        map(&["event_tags"], Self::EventTags, FieldKind::TextMap),
    ];
}
