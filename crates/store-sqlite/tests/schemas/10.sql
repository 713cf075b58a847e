-- A data directory as schema 10 left it: what a server held when it was killed. Built into a database by the tests that open
-- it with the present program. Sealed with a key of 32 bytes 0x2a. Devices valve-1 to valve-3 have the secrets hush-valve-1
-- and so on. Jobs 1 to 6 are finished; of job 7 an attempt is out, and job 8 waits for its devices.
PRAGMA foreign_keys = OFF;
PRAGMA page_size = 4096;
PRAGMA application_id = 1095517267;
PRAGMA user_version = 10;
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE access_key (
    app_key  TEXT    PRIMARY KEY,
    secret   BLOB    NOT NULL,    -- sealed
    org      TEXT    NOT NULL REFERENCES organization (id),
    role     INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    disabled INTEGER NOT NULL,
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "access_key" VALUES('9JKKL2kZywAdtyvnRu3z',X'1D20F1A54DCCBC1FF23027D15536D6BEC8AE7DA6BFDAE291B143DD10C9E05DEA93292BD1140262A208B17775394C637178258673CC03583A95F1562C15D6CBFABE058AA5EC0A1C6A','default',0,'first key',0,1795469225399);
CREATE TABLE action (
    no         INTEGER PRIMARY KEY,
    commit_no  INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    org        TEXT    NOT NULL,
    verb       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    app_key    TEXT,
    request_id TEXT    NOT NULL
, address TEXT) STRICT;
INSERT INTO "action" VALUES(1,3,1795469226383,'default','model.create','valve','9JKKL2kZywAdtyvnRu3z','e1b9bbd0-7348-400b-af46-8dcc7dd14c97',NULL);
INSERT INTO "action" VALUES(2,4,1795469226390,'default','product.create','valves','9JKKL2kZywAdtyvnRu3z','1af98db9-cfaf-4783-97ab-e5b85632815e',NULL);
INSERT INTO "action" VALUES(3,5,1795469246189,'default','device.create','h8j8vUN5','9JKKL2kZywAdtyvnRu3z','80076bcc-4c9b-44b3-a9d1-f607cadb5a5b',NULL);
INSERT INTO "action" VALUES(4,6,1795469246195,'default','device.create','aXf7SwRL','9JKKL2kZywAdtyvnRu3z','b0dd6253-1145-4119-92e3-79024d8acfe1',NULL);
INSERT INTO "action" VALUES(5,7,1795469246201,'default','device.create','BK4mEpg2','9JKKL2kZywAdtyvnRu3z','4c47a4db-2706-41f1-8da8-9ff87079dfdd',NULL);
INSERT INTO "action" VALUES(6,12,1795469266770,'default','job.create','8000000000000000001','9JKKL2kZywAdtyvnRu3z','914a676d-a3e0-4c5c-9b4d-9d2e78c51357',NULL);
INSERT INTO "action" VALUES(7,16,1795469268779,'default','job.create','8000000000000000002','9JKKL2kZywAdtyvnRu3z','c4b553b2-9d66-4263-918e-75b08b5b43a2',NULL);
INSERT INTO "action" VALUES(8,18,1795469268785,'default','job.create','8000000000000000003','9JKKL2kZywAdtyvnRu3z','170f9650-0d59-4d3e-b6d4-34540b212386',NULL);
INSERT INTO "action" VALUES(9,20,1795469268791,'default','job.cancel','8000000000000000003','9JKKL2kZywAdtyvnRu3z','5ee9239d-fd0d-4a48-bdf4-8f0e9cc5ea80',NULL);
INSERT INTO "action" VALUES(10,25,1795469275802,'default','job.create','8000000000000000004','9JKKL2kZywAdtyvnRu3z','b53f884e-2bab-4047-8bbb-8afaead77486',NULL);
INSERT INTO "action" VALUES(11,28,1795469276813,'default','job.create','8000000000000000005','9JKKL2kZywAdtyvnRu3z','2130b305-3446-4a75-a387-7d4c4fa8ee68',NULL);
INSERT INTO "action" VALUES(12,30,1795469276819,'default','job.create','8000000000000000006','9JKKL2kZywAdtyvnRu3z','2b14acb6-7a0a-426b-8a3c-9fb6788685af',NULL);
INSERT INTO "action" VALUES(13,37,1795469412432,'north','organization.create','north','9JKKL2kZywAdtyvnRu3z','e13b514e-9c83-4fdf-ace3-72703b5a3454',NULL);
INSERT INTO "action" VALUES(14,39,1795469414453,'default','job.create','8000000000000000007','9JKKL2kZywAdtyvnRu3z','87e91ad4-cb47-4f85-b477-bc43aa7becde',NULL);
INSERT INTO "action" VALUES(15,42,1795469415463,'default','job.create','8000000000000000008','9JKKL2kZywAdtyvnRu3z','f924c1c1-bc64-4115-8755-fa87cbc53a8b',NULL);
CREATE TABLE device (
    no           INTEGER PRIMARY KEY,
    disabled     INTEGER NOT NULL,
    deleted      INTEGER NOT NULL,  -- 0, or the device's own number: its keys are free again
    activated    INTEGER,
    last_online  INTEGER,
    last_offline INTEGER,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    org          TEXT    NOT NULL,
    product      TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    asset        TEXT    NOT NULL,
    secret       BLOB    NOT NULL,  -- sealed
    timezone     TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    name         TEXT    NOT NULL,  -- JSON
    attributes   TEXT    NOT NULL,  -- JSON
    tags         TEXT    NOT NULL, former_secret BLOB, former_secret_until INTEGER, registered_by INTEGER,  -- JSON
    UNIQUE (product, key, deleted),
    UNIQUE (asset, deleted)
) STRICT;
INSERT INTO "device" VALUES(1,0,0,1795469264768,1795469412460,1795469279800,1795469246189,1795469246189,'default','valves','valve-1','h8j8vUN5',X'A15A71C6E6362A7ECA79EA00261C5C001666780F89B09907373C71C9D1C13494FFF3BD42335D51E01C44461556FD6DEC0E821641','+00:00','','{"defaultValue":"Valve 1","i18nValue":{}}','{}','{}',NULL,NULL,NULL);
INSERT INTO "device" VALUES(2,0,0,1795469264768,1795469264779,1795469272767,1795469246195,1795469246195,'default','valves','valve-2','aXf7SwRL',X'6FF50AA8D1F1498EABB94C29EC68D49A883708E9F37CDC5CB88FA7C561FF5F0E8AD123E1F28251C42E5506A0CBDFC059587D088D','+00:00','','{"defaultValue":"Valve 2","i18nValue":{}}','{}','{}',NULL,NULL,NULL);
INSERT INTO "device" VALUES(3,0,0,NULL,NULL,NULL,1795469246201,1795469246201,'default','valves','valve-3','BK4mEpg2',X'EB46E277ABCE1E8496779392DE4E4D36C93EE51844EF10CB0EEEE5838E19A1D0491550B8BE6707A3030DD7A5B3322773F8E681AD','+00:00','','{"defaultValue":"Valve 3","i18nValue":{}}','{}','{}',NULL,NULL,NULL);
CREATE TABLE device_change (
    no        INTEGER PRIMARY KEY, -- order of the changes
    commit_no INTEGER NOT NULL,
    device    INTEGER NOT NULL,
    disabled  INTEGER NOT NULL,
    deleted   INTEGER NOT NULL
) STRICT;
CREATE TABLE history (
    no      INTEGER PRIMARY KEY,
    task    INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    how     INTEGER NOT NULL,
    intent  INTEGER,
    handed  INTEGER,
    acked   INTEGER,
    ended   INTEGER,
    code    INTEGER NOT NULL,
    desc    TEXT    NOT NULL,
    output  TEXT,
    sent    INTEGER NOT NULL
) STRICT;
INSERT INTO "history" VALUES(1,2,1,1,1795469266771,1795469266772,1795469266773,1795469266773,2000,'the device replied with code 2000','{}',1);
INSERT INTO "history" VALUES(2,5,1,2,1795469275803,1795469275804,1795469275823,1795469280803,11915,'acknowledged but silent, link lost at 2026-11-23T21:27:59.8Z',NULL,1);
CREATE TABLE job (
    no             INTEGER PRIMARY KEY,
    org            TEXT    NOT NULL,
    state          INTEGER NOT NULL,
    total          INTEGER,           -- NULL before the trigger
    first_task     INTEGER,           -- NULL before any task number is allocated
    allocated      INTEGER NOT NULL,
    written        INTEGER NOT NULL,  -- rows of task; they follow each other without a gap from first_task on
    release        INTEGER NOT NULL,
    created        INTEGER NOT NULL,
    tasks_created  INTEGER NOT NULL,
    ttl            INTEGER NOT NULL,  -- ms
    reply_timeout  INTEGER NOT NULL,  -- ms
    retry_count    INTEGER,           -- NULL: retries are off
    retry_interval INTEGER,           -- ms
    cancel_mark    INTEGER NOT NULL,
    settled_mark   INTEGER NOT NULL,
    deleted        INTEGER NOT NULL,
    products       TEXT,              -- JSON; NULL for a list of devices
    trigger_commit INTEGER,
    trigger_change INTEGER,           -- the last device_change before the trigger
    watermark      INTEGER,
    cursor         INTEGER
, single INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "job" VALUES(1,'default',2,2,1,2,2,1795469266769,1795469266770,1795469266770,0,30000,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "job" VALUES(2,'default',2,1,3,1,1,1795469268779,1795469268779,1795469268779,0,30000,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "job" VALUES(3,'default',2,1,4,1,1,1795469268785,1795469268785,1795469268785,600000,30000,NULL,NULL,1,1,0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "job" VALUES(4,'default',2,1,5,1,1,1795469275802,1795469275802,1795469275802,0,5000,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "job" VALUES(5,'default',2,1,6,1,1,1795469276812,1795469276813,1795469276813,60000,30000,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "job" VALUES(6,'default',2,3,7,3,3,1795469276819,1795469276819,1795469276820,60000,30000,2,1000,0,0,0,'["valves"]',31,0,3,3,0);
INSERT INTO "job" VALUES(7,'default',1,1,10,1,1,1795469414453,1795469414453,1795469414453,0,5000,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "job" VALUES(8,'default',1,3,11,3,3,1795469415463,1795469415463,1795469415464,60000,30000,NULL,NULL,0,0,0,'["valves"]',43,0,3,3,0);
CREATE TABLE job_counter (
    job   INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    c0    INTEGER NOT NULL,
    c1    INTEGER NOT NULL,
    c2    INTEGER NOT NULL,
    c3    INTEGER NOT NULL,
    c4    INTEGER NOT NULL,
    c5    INTEGER NOT NULL,
    c6    INTEGER NOT NULL,
    c7    INTEGER NOT NULL,
    c8    INTEGER NOT NULL,
    c9    INTEGER NOT NULL,
    PRIMARY KEY (job, shard)
) STRICT, WITHOUT ROWID;
INSERT INTO "job_counter" VALUES(1,0,0,0,0,0,0,1,1,0,0,0);
INSERT INTO "job_counter" VALUES(2,0,0,0,0,0,0,0,1,0,0,0);
INSERT INTO "job_counter" VALUES(3,0,0,0,0,0,0,0,0,1,0,0);
INSERT INTO "job_counter" VALUES(4,0,0,0,0,0,0,0,0,0,1,0);
INSERT INTO "job_counter" VALUES(5,0,0,0,0,0,0,0,0,0,0,1);
INSERT INTO "job_counter" VALUES(6,0,0,0,0,0,0,0,0,0,0,3);
INSERT INTO "job_counter" VALUES(7,0,0,0,0,0,1,0,0,0,0,0);
INSERT INTO "job_counter" VALUES(8,0,0,3,0,0,0,0,0,0,0,0);
CREATE TABLE job_text (
    job     INTEGER PRIMARY KEY,
    command TEXT    NOT NULL, -- JSON
    name    TEXT    NOT NULL, -- JSON; also in text, here for searches
    text    TEXT    NOT NULL  -- JSON
) STRICT;
INSERT INTO "job_text" VALUES(1,'{"Service":{"id":"open","input":{"percent":40}}}','{"defaultValue":"done","i18nValue":{}}','{"name":{"defaultValue":"done","i18nValue":{}},"desc":"done","targets":{"Devices":[{"asset":null,"product":"valves","device":"valve-1"},{"asset":null,"product":"valves","device":"valve-2"}]},"trigger":null,"retry_enabled":false,"retry_count":3,"retry_interval_s":300}');
INSERT INTO "job_text" VALUES(2,'{"Service":{"id":"open","input":{"percent":41}}}','{"defaultValue":"offline","i18nValue":{}}','{"name":{"defaultValue":"offline","i18nValue":{}},"desc":"offline","targets":{"Devices":[{"asset":null,"product":"valves","device":"valve-3"}]},"trigger":null,"retry_enabled":false,"retry_count":3,"retry_interval_s":300}');
INSERT INTO "job_text" VALUES(3,'{"Service":{"id":"open","input":{"percent":42}}}','{"defaultValue":"cancelled","i18nValue":{}}','{"name":{"defaultValue":"cancelled","i18nValue":{}},"desc":"cancelled","targets":{"Devices":[{"asset":null,"product":"valves","device":"valve-3"}]},"trigger":null,"retry_enabled":false,"retry_count":3,"retry_interval_s":300}');
INSERT INTO "job_text" VALUES(4,'{"Service":{"id":"open","input":{"percent":43}}}','{"defaultValue":"silent","i18nValue":{}}','{"name":{"defaultValue":"silent","i18nValue":{}},"desc":"silent","targets":{"Devices":[{"asset":null,"product":"valves","device":"valve-1"}]},"trigger":null,"retry_enabled":false,"retry_count":3,"retry_interval_s":300}');
INSERT INTO "job_text" VALUES(5,'{"Service":{"id":"open","input":{"percent":44}}}','{"defaultValue":"waiting","i18nValue":{}}','{"name":{"defaultValue":"waiting","i18nValue":{}},"desc":"waiting","targets":{"Devices":[{"asset":null,"product":"valves","device":"valve-1"}]},"trigger":null,"retry_enabled":false,"retry_count":3,"retry_interval_s":300}');
INSERT INTO "job_text" VALUES(6,'{"Measurepoint":{"id":"setpoint","value":21.5}}','{"defaultValue":"product","i18nValue":{}}','{"name":{"defaultValue":"product","i18nValue":{}},"desc":"product","targets":{"Products":{"products":["valves"],"entries":[{"asset":null,"product":"valves","device":null}]}},"trigger":null,"retry_enabled":true,"retry_count":2,"retry_interval_s":1}');
INSERT INTO "job_text" VALUES(7,'{"Service":{"id":"open","input":{"percent":50}}}','{"defaultValue":"out","i18nValue":{}}','{"name":{"defaultValue":"out","i18nValue":{}},"desc":"out","targets":{"Devices":[{"asset":null,"product":"valves","device":"valve-1"}]},"trigger":null,"retry_enabled":false,"retry_count":3,"retry_interval_s":300}');
INSERT INTO "job_text" VALUES(8,'{"Service":{"id":"open","input":{"percent":51}}}','{"defaultValue":"queued","i18nValue":{}}','{"name":{"defaultValue":"queued","i18nValue":{}},"desc":"queued","targets":{"Products":{"products":["valves"],"entries":[{"asset":null,"product":"valves","device":null}]}},"trigger":null,"retry_enabled":false,"retry_count":3,"retry_interval_s":300}');
CREATE TABLE meta (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    commit_no   INTEGER NOT NULL,
    clock       INTEGER NOT NULL,
    next_device INTEGER NOT NULL,
    next_job    INTEGER NOT NULL,
    next_task   INTEGER NOT NULL,
    key_check   BLOB    NOT NULL  -- a known text under the secret key: a wrong key is noticed at start
) STRICT;
INSERT INTO "meta" VALUES(1,44,1795469415464,4,9,14,X'E36702D00E101AF250D45F3F5649E72362B4B04E12EE576A17D9D85B0C3D7D00FB999A99A64612A2E670CF4147');
CREATE TABLE model (
    no       INTEGER PRIMARY KEY, -- order of creation
    org      TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    document TEXT    NOT NULL,    -- JSON
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    UNIQUE (org, id)
) STRICT;
INSERT INTO "model" VALUES(1,'default','valve','{"attributes":{},"category":null,"desc":null,"events":{},"measurepoints":{"setpoint":{"dataDefinition":null,"dataType":"DOUBLE","desc":null,"hasQuality":false,"i18nDesc":null,"identifier":"setpoint","isStdElement":false,"name":{"defaultValue":"Setpoint","i18nValue":{}},"signalType":null,"stdElementId":null,"tags":{},"unit":null}},"modelId":"valve","modelIdPath":"/valve","name":{"defaultValue":"Valve","i18nValue":{}},"orgId":"default","services":{"open":{"callType":null,"desc":null,"i18nDesc":null,"identifier":"open","inputData":[{"dataDefinition":null,"dataType":"INT","desc":null,"identifier":"percent","isStdElement":false,"name":{"defaultValue":"Percent","i18nValue":{}},"stdElementId":null,"tags":{},"unit":null}],"isStdElement":false,"name":{"defaultValue":"Open","i18nValue":{}},"outputData":[],"stdElementId":null,"tags":{}}},"tags":{}}',1795469226383,1795469226383);
CREATE TABLE organization (
    id       TEXT    PRIMARY KEY,
    name     TEXT    NOT NULL,
    disabled INTEGER NOT NULL,
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "organization" VALUES('default','default',0,1795469225399);
INSERT INTO "organization" VALUES('north','north',0,1795469412432);
CREATE TABLE product (
    no                 INTEGER PRIMARY KEY, -- order of creation
    key                TEXT    NOT NULL UNIQUE,
    org                TEXT    NOT NULL,
    name               TEXT    NOT NULL,    -- JSON
    secret             BLOB    NOT NULL,    -- sealed
    description        TEXT    NOT NULL,
    gateway            INTEGER NOT NULL,
    json               INTEGER NOT NULL,
    tags               TEXT    NOT NULL,    -- JSON
    model              TEXT    NOT NULL,
    dynamic_activation INTEGER NOT NULL,
    certificates       INTEGER NOT NULL,
    created            INTEGER NOT NULL,
    created_by         TEXT,
    updated            INTEGER NOT NULL,
    updated_by         TEXT
, command_qos INTEGER NOT NULL DEFAULT 1, former_secret BLOB, former_secret_until INTEGER, gateway_registers INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "product" VALUES(1,'valves','default','{"defaultValue":"Valves","i18nValue":{}}',X'80F68CA005E515AC3DD54E55B9BA28E70D133E2E1CCEFB15600518BEE118FBD79E7DCEC3E9156FC62BD086151697CB238D6369D91F69DA7BBADB5FC2D61E4A655DAB7568C0A1FCF8','',0,1,'{}','valve',0,0,1795469226390,'9JKKL2kZywAdtyvnRu3z',1795469226390,'9JKKL2kZywAdtyvnRu3z',1,NULL,NULL,0);
CREATE TABLE remembered (
    scope  TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    digest BLOB    NOT NULL,
    answer TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','0a494622-709c-4123-9c6e-bce590951467',X'0C24349FD5238F5113D411293C1753392F23519279AC3BB379AFB17D6516BFB4','4',1795469275802);
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','34360ef7-811b-4444-b49b-b9f9a1322d3a',X'4DAD16A4C0720F15DE8F287DEB76DBFECAC4C687A0C3420B7C0F03873CBBFB41','3',1795469268785);
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','36e107c3-f7f9-4503-a42d-020cb762c44e',X'42311088C4DE95250D711A6079F74BA7D2BFE58018C2CC32A24532CC797E0ACE','8',1795469415463);
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','96851d8a-b03c-4ded-b9d4-634e6164a2cb',X'DB013F6B5F365732C15BDE05B79D29BC61C6C18F3B17B4E6F7F1829EAB6858F3','6',1795469276819);
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','9a98b42b-060c-48ec-aafa-57e5837b5810',X'80B06CD7A2E49B3239535FF4A9F0D5E680C6930624E2A045ECEB3D15B3B36156','5',1795469276813);
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','ba3fb5a9-b859-4688-9e65-90c1ae6c23ee',X'8E39CB55166FE97CB63CAE5A51A6E80443558AFE4797F85AB250C13B3AA310B8','7',1795469414453);
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','e66a3170-cdd8-4569-b46e-38c9e45638a2',X'E9626693E300B39E2A1FE95AE92CEC254109EF1197B98790AF289706E1999883','1',1795469266770);
INSERT INTO "remembered" VALUES('default/9JKKL2kZywAdtyvnRu3z','ee08ec94-bbc4-4e97-b118-ef886da1762a',X'DDE7BC880779186CAAB2735AE5DB957F0B1644010AEC2EEE4973A36A33DE46A9','2',1795469268779);
CREATE TABLE reported (
    device INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (device, kind, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "reported" VALUES(1,0,'opening','40',1795469414500);
CREATE TABLE slot (
    device         INTEGER PRIMARY KEY,
    task           INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    reply_deadline INTEGER NOT NULL,
    acked          INTEGER NOT NULL
) STRICT;
INSERT INTO "slot" VALUES(1,10,1,1795469419454,0);
CREATE TABLE sub_device (
    device  INTEGER PRIMARY KEY,
    gateway INTEGER NOT NULL
) STRICT;
CREATE TABLE task (
    id      INTEGER PRIMARY KEY,
    device  INTEGER NOT NULL,
    state   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    intent  INTEGER, -- ms since the job's release
    handed  INTEGER, -- ms since the intent, without one since the release
    acked   INTEGER, -- as handed
    ended   INTEGER, -- as handed
    updated INTEGER, -- ms since the job's release; NULL: when the attempt ended
    due     INTEGER, -- ms since the job's release
    wake    INTEGER, -- a moment, for the index
    code    INTEGER, -- NULL: no result yet
    desc    TEXT,    -- NULL: "OK"
    output  TEXT,
    late    TEXT,    -- JSON: a success that came too late
    tally   INTEGER NOT NULL -- retry counts, cancel mark and two flags, packed; 0 for most
) STRICT;
INSERT INTO "task" VALUES(1,1,5,1,2,1,1,1,NULL,NULL,NULL,0,NULL,'{}',NULL,0);
INSERT INTO "task" VALUES(2,2,6,1,2,1,2,2,NULL,NULL,NULL,2000,'the device replied with code 2000','{}',NULL,0);
INSERT INTO "task" VALUES(3,3,6,0,NULL,NULL,NULL,NULL,1,NULL,NULL,11888,'device never activated',NULL,NULL,2);
INSERT INTO "task" VALUES(4,3,7,0,NULL,NULL,NULL,NULL,7,NULL,NULL,499,'withdrawn before sending',NULL,NULL,2);
INSERT INTO "task" VALUES(5,1,8,1,1,1,20,5000,NULL,NULL,NULL,11915,'acknowledged but silent, link lost at 2026-11-23T21:27:59.8Z',NULL,NULL,0);
INSERT INTO "task" VALUES(6,1,9,0,NULL,NULL,NULL,NULL,60000,NULL,NULL,11904,'offline since 2026-11-23T21:27:59.8Z',NULL,NULL,2);
INSERT INTO "task" VALUES(7,1,9,0,NULL,NULL,NULL,NULL,60000,NULL,NULL,11904,'offline since 2026-11-23T21:27:59.8Z',NULL,NULL,2);
INSERT INTO "task" VALUES(8,2,9,0,NULL,NULL,NULL,NULL,60000,NULL,NULL,11904,'offline since 2026-11-23T21:27:52.767Z',NULL,NULL,2);
INSERT INTO "task" VALUES(9,3,9,0,NULL,NULL,NULL,NULL,60000,NULL,NULL,11904,'device never activated',NULL,NULL,2);
INSERT INTO "task" VALUES(10,1,4,1,1,3,20,NULL,21,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "task" VALUES(11,1,1,0,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "task" VALUES(12,2,1,0,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "task" VALUES(13,3,1,0,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0);
CREATE TABLE proof (
    at INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (at, digest)
) STRICT, WITHOUT ROWID;
INSERT INTO "proof" VALUES(1763933271000,x'000102030405060708090a0b0c0d0e0f');
CREATE INDEX access_key_org ON access_key (org);
CREATE INDEX product_org ON product (org, model);
CREATE INDEX device_org ON device (org) WHERE deleted = 0;
CREATE INDEX device_member ON device (product, no, disabled, deleted);
CREATE INDEX job_org ON job (org) WHERE deleted = 0 AND single = 0;
CREATE UNIQUE INDEX job_first_task ON job (first_task) WHERE first_task IS NOT NULL;
CREATE INDEX job_range ON job (org, first_task, written, tasks_created) WHERE deleted = 0 AND first_task IS NOT NULL;
CREATE INDEX job_at_work ON job (no) WHERE state <> 2 OR settled_mark < cancel_mark OR deleted = 1;
CREATE INDEX job_first_at_work ON job (first_task)
    WHERE first_task IS NOT NULL AND (state <> 2 OR settled_mark < cancel_mark OR deleted = 1);
CREATE INDEX sub_device_gateway ON sub_device (gateway);
CREATE INDEX task_device ON task (device);
CREATE INDEX task_rare ON task (state) WHERE state = 6 OR state = 8 OR state = 9;
CREATE INDEX task_wake ON task (wake) WHERE wake IS NOT NULL;
CREATE INDEX history_task ON history (task, attempt);
CREATE UNIQUE INDEX history_late ON history (task, attempt) WHERE how = 5;
CREATE INDEX remembered_at ON remembered (at);
CREATE INDEX action_org ON action (org, at);
CREATE INDEX device_registered_by ON device (registered_by) WHERE registered_by IS NOT NULL AND deleted = 0;
CREATE INDEX action_subject ON action (org, subject);
COMMIT;
