@testable import Sessions
import Testing

/// What the quick look lets pass has no trait that the reading of the text would find.
@Suite struct PlainScanTests {
    private func isPlain(_ text: String) -> Bool {
        let bytes = bytes(text)
        return SQLScan.isPlain(bytes.span, 0..<bytes.count)
    }

    @Test(arguments: [
        "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;", "select 1", "select(1)", "Select*from t;  \n",
        "INSERT INTO pgbench_history (tid, bid) VALUES (1, 2);", "update t set a_b = 'x' where c_d = 'y'",
        "delete from t", "select 'a & b', tim_e from them", "select\t1",
    ])
    func plain(text: String) {
        #expect(self.isPlain(text))
    }

    @Test(arguments: [
        "select", "select1", " select 1", "selects 1", "begin", "select 1; select 2", "select 1;;x", "select ';'||1",
        "select set_config('a', 'b', false)", "SELECT SET_CONFIG('a','b','f')", "select pg_advisory_lock(1)",
        "select 1 into temp t", "select 1 into TEMPORARY t", "select * from pg_temp.t",
        "select U&\"\\0073et_config\"(1)",
        "insert into pg_temp.t values (1)", "with a as (select 1) select 1", "select pg_try_advisory_lock(1)", "",
    ])
    func mustBeRead(text: String) {
        #expect(!self.isPlain(text))
    }

    /// Words in any order, at any place of the eight bytes that are looked at together.
    @Test func neverLetsATraitPass() {
        let words = [
            "select", "insert", "update", "delete", " ", "  ", ";", "set_config", "(", "'a'", ",", "false", ")", "into",
            "temp", "TEMPORARY", "t", "pg_temp", ".", "pg_advisory_lock", "PG_Try_Advisory_Lock_Shared", "U&\"x\"",
            "--\n", "/*", "*/", "from", "prepare p as", "execute p", "deallocate a", "set a=1", "$$", "'", "\"", "&",
            "_", "m", "begin", "copy",
        ]
        var random = SeededRandom(seed: 4)
        var plainCount = 0
        for _ in 0..<50_000 {
            var text = ["select ", "insert ", "update\n", "delete/**/"].randomElement(using: &random) ?? ""
            for _ in 0..<Int.random(in: 0...9, using: &random) {
                text += (words.randomElement(using: &random) ?? "") + (Bool.random(using: &random) ? " " : "")
            }
            guard self.isPlain(text) else { continue }
            plainCount += 1
            let scan = scan(text)
            #expect(scan.traits.subtracting(.unfinished) == [] && scan.statementCount <= 1, "\(text)")
        }
        #expect(plainCount > 5_000)
    }
}
