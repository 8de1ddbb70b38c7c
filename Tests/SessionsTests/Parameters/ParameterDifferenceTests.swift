import Glibc
import PGWire
@testable import Sessions
import Testing

/// From one client's parameters to another's, found by one walk: against a search for each name.
@Suite struct ParameterDifferenceTests {
    private typealias Entry = SessionParameters.Entry

    private func isSteady(_ new: [Entry], replacing old: [Entry]) -> Bool {
        if new.allSatisfy(SteadyParameters.contain) && old.allSatisfy(SteadyParameters.contain) { return true }
        if new == old { return true }
        if old.contains(where: SteadyParameters.isTimeout) { return false }
        return new.allSatisfy { SteadyParameters.contain($0) || old.contains($0) }
            && old.allSatisfy { SteadyParameters.contain($0) || new.contains($0) }
    }

    private func query(_ new: [Entry], replacing old: [Entry]) -> String? {
        func isNamed(_ entry: Entry, _ name: String) -> Bool { SessionParameters.foldingCase(entry.name) == name }
        func isRole(_ entry: Entry) -> Bool { isNamed(entry, "role") }
        if new == old { return nil }
        let keepsRole = self.isSteady(new, replacing: old)
        var changed = new.filter { !isRole($0) && !old.contains($0) }
        if !keepsRole { changed += new.filter(isRole) }
        var reset = keepsRole ? [] : old.filter(isRole)
        reset += old.filter { entry in
            if isRole(entry) { return false }
            let isKept = new.contains { $0.name.hasSameBytes(as: entry.name) }
            return !isKept || isNamed(entry, "datestyle") && !new.contains(entry)
        }
        var text = ""
        func isASCII(_ entry: Entry) -> Bool { entry.name.utf8.allSatisfy { $0 < 0x80 } }
        for entry in reset where isASCII(entry) { text += "RESET \(SQLText.identifier(entry.name));" }
        // A name beyond ASCII would be read in the encoding that the session has at the time.
        let values = reset.filter { !isASCII($0) }.map { ($0.name, "NULL") }
            + changed.map { ($0.name, SQLText.literal($0.value)) }
        let calls = values.map { "pg_catalog.set_config(\(SQLText.literal($0)),\($1),false)" }
        if !calls.isEmpty { text += "SELECT " + calls.joined(separator: ",") }
        return text.isEmpty ? nil : text
    }

    @Test func theWalkFindsWhatASearchFinds() throws {
        let names = [
            "role", "ROLE", "DateStyle", "datestyle", "TimeZone", "timezone", "application_name", "search_path",
            "statement_timeout", "a", "aa", "b", "my.a", "my.b", "caf\u{e9}", "cafe\u{301}", "z",
        ]
        var random = SeededRandom(seed: 8)
        func parameters() throws -> SessionParameters {
            let share = [5, 30, 90][Int.random(in: 0..<3, using: &random)]
            var asked: [(name: String, value: String)] = []
            for name in names where random.chance(share) {
                asked.append((name: name, value: random.chance(70) ? "1" : "2"))
            }
            return try SessionParameters.parse(asked)
        }
        for _ in 0..<2_000 {
            let (old, new) = (try parameters(), try parameters())
            let (steady, query) = (new.isSteady(replacing: old), new.query(replacing: old))
            #expect(steady == self.isSteady(new.entries, replacing: old.entries))
            #expect(query == self.query(new.entries, replacing: old.entries))
        }
    }

    /// CPU time of a checkout's questions about so many parameters, of which few differ, in microseconds.
    private func microseconds(_ count: Int) throws -> Double {
        var asked = (0..<count).map { (name: "my.p\($0)", value: "value") }
        let old = try SessionParameters.parse(asked)
        asked[count / 2].value = "another"
        asked.append((name: "my.q", value: "value"))
        let new = try SessionParameters.parse(asked)
        var best = Double.infinity
        for _ in 0..<5 {
            let begin = self.spent()
            #expect(!new.isSteady(replacing: old))
            #expect(new.query(replacing: old) != nil)
            best = min(best, self.spent() - begin)
        }
        return best
    }

    /// This thread's CPU time: other tests run at the same time.
    private func spent() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    /// A startup packet has room for thousands.
    @Test func tenTimesAsManyTakeTenTimesAsLong() throws {
        let few = try self.microseconds(150)
        #expect(try self.microseconds(1_500) < 40 * few)
    }
}
