import Sessions
import Testing

/// What ends with the transaction needs no clean-up; whatever is in doubt is cleaned.
@Suite struct TransactionScopeTests {
    private static let relevant: StatementTraits = [.setConfig, .temporary, .set]

    private func leaves(_ text: String) -> StatementTraits {
        scan(text).traits.intersection(Self.relevant)
    }

    @Test(arguments: [
        "select set_config('a', 'b', true)", "SELECT SET_CONFIG('a', 'b', TRUE);",
        "select pg_catalog.set_config($1, $2, true)", "select set_config('request.jwt', $1::text, true), 1",
        "select set_config('a', (select max(b, c) from t), true)",
        "select set_config('a','b',true), set_config('c','d',true)",
        "select set_config('a', set_config('b', 'c', true), true)", "select set_config ( 'a' , 'b' /* x */ , true )",
        "begin; select set_config('a', ',)', true); select 1; commit", "select set_config($$,,$$, $$)$$, true)",
        "select 1 where set_config('a', 'b', true) is not null and 2 > 1",
        "create temp table t (a int) on commit drop", "CREATE TEMPORARY TABLE t () ON COMMIT DROP;",
        "create local temp table if not exists t (a int default 1, b text) with (fillfactor = 10) on commit drop",
        "create global temporary table t on commit drop as select 1 as a",
        "begin; create temp table t (a int) on commit drop; insert into t values (1); select * from t; commit",
        "create temp table \"on\" (\"commit\" int) on /* x */ commit -- y\n drop tablespace pg_default",
        "create temp table t () on commit drop; select set_config('a', 'b', true)",
        "set local work_mem = '1MB'", "begin; SET /* x */ LOCAL \"a\" to default; set transaction read only; commit",
        "update t set a = 1", "alter role x set a = 1",
    ])
    func endsWithTheTransaction(text: String) {
        #expect(self.leaves(text) == [], "\(text)")
    }

    @Test(arguments: [
        "select set_config('a', 'b', false)", "select set_config('a', 'b', $1)",
        "select set_config('a', 'b', true and x)",
        "select set_config('a', 'b', not true)", "select set_config('a', 'b', true = x)",
        "select set_config('a', 'b', 't')",
        "select set_config('a', 'b', true, 1)", "select set_config('a', true)", "select set_config(true)",
        "select set_config('a', 'b', (true))", "select set_config('a', 'b', x.true)",
        "select set_config('a', 'b', \"true\")",
        "select set_config('a', 'b', true::text::bool)", "select set_config('a', 'b', is_local => true)",
        "select set_config(is_local => true, setting_name => 'a', new_value => 'b')",
        "select set_config('a', 'b', true), set_config('a', 'b', false)",
        "select set_config('a', set_config('b', 'c', false), true)",
        "select set_config('a', 'b', true), \"set_config\"('a', 'b', false)",
        "select \"set_config\"('a', 'b', true)", "select set_config", "select set_config('a', 'b', true",
        "select set_config('a', 'b', true;)", "select set_config('\\', 'b', true)",
        "select set_config(E'\\'', 'b', true)",
        "select set_config('a','b',true); update pg_settings set setting = '1'",
        "select set_config('a','b',true), U&\"\\0073et_config\"('a','b',false)",
    ])
    func settingsThatMayStay(text: String) {
        #expect(self.leaves(text).contains(.setConfig) || scan(text).traits.contains(.unfinished), "\(text)")
    }

    @Test func manyCallsAreNotLookedInto() {
        let call = "set_config('a', 'b', true)"
        #expect(self.leaves("select " + Array(repeating: call, count: 8).joined(separator: ",")) == [])
        #expect(self.leaves("select " + Array(repeating: call, count: 9).joined(separator: ",")) == .setConfig)
    }

    /// Each call is read twice, whatever stands in it.
    @Test func nestedCallsCostNoMoreThanTheirText() {
        let text = String(repeating: "select set_config(", count: 100_000)
        #expect(self.leaves(text) == .setConfig)
    }

    @Test(arguments: [
        "set a = 1", "SET a TO 1", "set session a = 1", "set session characteristics as transaction read only",
        "set \"local\" = 1",
        "set local a = 1; set a = 1", "set role x", "set time zone 'x'", "select 1;set/**/a.b=1",
        "set constraints all deferred",
        "set U&\"\\0061\" = 1",
        // GLOBAL, LOCAL and TRANSACTION are no reserved words.
        "set local.a = 1", "set global.a to 1", "SET Transaction /**/ . a = 1",
    ])
    func setsThatStay(text: String) {
        #expect(self.leaves(text) == .set, "\(text)")
    }

    @Test(arguments: [
        "create temp table t ()", "create temp table t () on commit delete rows", "create temp table t () on commit",
        "create temp table t () on commit preserve rows", "create temp table t (a int, on commit drop)",
        "create temp view v as select 1", "create temp sequence s on commit drop", "create temp table on, commit, drop",
        "create temp table t as select 1 on commit drop", "create temp table t () on 'x' commit drop",
        "create temp table t () on (x) commit drop", "create temp table t () on \"commit\" drop",
        "create temp table t (); select 1 on commit drop", "create temp table t () on; commit drop",
        "create temp table t () on commit drop; create temp table u ()", "select 1 into temp t on commit drop",
        "create temp table t () on commit drop; create temp view v as select 1",
        "create temp table t () on commit drop; create temp table u () on commit drop",
        "create temp table t () on commit drop; select 1 into temporary u",
        "create temp table pg_temp.t () on commit drop", "create table pg_temp.t (); select 1 on commit drop",
        "create temp table t () on commit drop; create table \"pg_temp\".t ()",
        "explain create temp table t on commit drop as select 1",
        "create temp table t (a text default '\\') on commit drop",
        "create temp table t () on commit drop; create table pg_temp_3.x ()",
        "create temp table t () on commit drop; create table U&\"pg\\005ftemp\".x ()",
        "create temp table x.temp () on commit drop",
    ])
    func objectsThatMayStay(text: String) {
        #expect(self.leaves(text).contains(.temporary) || scan(text).traits.contains(.unfinished), "\(text)")
    }

    @Test func mutationsNeverTrap() {
        for text in ["select set_config('a',b(1),true);", "create temp table t(a int)on commit drop as"] {
            for mutation in mutations(of: bytes(text)) { _ = SQLScan(mutation.span, 0..<mutation.count).traits }
        }
    }
}
