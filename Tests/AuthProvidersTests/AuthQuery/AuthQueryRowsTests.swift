import Sessions
import Testing

@testable import AuthProviders

/// What rows mean.
@Suite struct AuthQueryRowsTests {
    private static func read(_ columns: [String], _ rows: [String?]...) -> AuthQueryReading {
        let answer = AuthQueryRows(columns: columns, rows: rows.map { row in row.map { $0.map { Array($0.utf8) } } })
        return AuthQueryReading(answer) { $0 == "role" ? "reserved" : nil }
    }

    private static func secret(_ reading: AuthQueryReading) -> String? {
        (try? reading.result.get())?.secret?.kindName
    }

    private static let md5 = TestSetting.md5Text("u")

    @Test func noRowIsNobody() {
        #expect(Self.read(["passwd"]).result == .success(.unknown))
    }

    @Test func moreThanOneRow() {
        let reading = Self.read(["passwd"], [Self.md5], [Self.md5])
        guard case .failure(let problem) = reading.result else { return #expect(Bool(false)) }
        #expect(problem.description.contains("expected 0 or 1"))
    }

    @Test(arguments: [
        (["passwd"], 0), (["password"], 0), (["anything"], 0), (["rolname", "passwd"], 1),
        (["password", "passwd"], 1), (["name", "x", "password"], 2),
    ])
    func theColumn(columns: [String], index: Int) {
        var row: [String?] = columns.map { _ in "nonsense" }
        row[index] = Self.md5
        let reading = Self.read(columns, row)
        #expect(Self.secret(reading) == "md5" && reading.warnings.isEmpty)
    }

    @Test(arguments: [["a", "b"], ["name", "startup_parameters"]])
    func noColumn(columns: [String]) {
        guard case .failure = Self.read(columns, columns.map { _ in Self.md5 }).result else {
            return #expect(Bool(false))
        }
        // Else the error would tell known users from unknown ones.
        guard case .failure = Self.read(columns).result else { return #expect(Bool(false)) }
    }

    @Test(arguments: [nil, ""])
    func noPassword(value: String?) {
        let reading = Self.read(["passwd"], [value])
        #expect(reading.result == .success(.unknown) && reading.warnings.isEmpty)
    }

    @Test(arguments: ["hunter2-in-clear", "md5abc", "SCRAM-SHA-256$4096:x", "\u{0}md5"])
    func unusablePasswordIsNotShown(value: String) {
        let reading = Self.read(["passwd"], [value])
        #expect(reading.result == .success(.unknown))
        #expect(reading.warnings.count == 1)
        #expect(!reading.warnings.joined().contains("hunter2") && !reading.warnings.joined().contains("4096"))
    }

    @Test func scram() {
        #expect(Self.secret(Self.read(["passwd"], [TestSetting.scramText])) == "scram-sha-256")
    }

    @Test(arguments: [
        (nil, [:], 0), ("{}", [:], 0), (#"{"Work_Mem": "1MB", "jit": "off"}"#, ["work_mem": "1MB", "jit": "off"], 0),
        (#"{"role": "postgres", "jit": "off"}"#, ["jit": "off"], 1), (#"{"work_mem": 5}"#, [:], 1),
        (#"{"a": null, "b": {}, "c": [], "d": true, "e": "x"}"#, ["e": "x"], 4), ("[]", [:], 1), ("nonsense", [:], 1),
        ("", [:], 1), ("\"text\"", [:], 1), (#"{"a": "x\u0000y"}"#, [:], 1), (#"{"A": "1", "a": "2"}"#, ["a": "2"], 1),
    ] as [(String?, [String: String], Int)])
    func startupParameters(text: String?, expected: [String: String], dropped: Int) {
        let reading = Self.read(["passwd", "startup_parameters"], [Self.md5, text])
        #expect((try? reading.result.get())?.startupParameters == expected)
        #expect(reading.droppedParameters == dropped && reading.warnings.count == dropped)
    }

    @Test func startupParametersAreBounded() {
        let fits = #"{"a": ""# + String(repeating: "x", count: 9488 - 9) + #""}"#
        #expect(fits.utf8.count == 9488)
        let good = Self.read(["passwd", "startup_parameters"], [Self.md5, fits])
        #expect((try? good.result.get())?.startupParameters?["a"]?.count == 9479)
        let bad = Self.read(["passwd", "startup_parameters"], [Self.md5, fits + " "])
        #expect((try? bad.result.get())?.startupParameters == [:] && bad.droppedParameters == 1)
        #expect((try? Self.read(["passwd"], [Self.md5]).result.get())?.startupParameters == nil)
        let deep = String(repeating: "[", count: 4000) + String(repeating: "]", count: 4000)
        #expect(Self.read(["passwd", "startup_parameters"], [Self.md5, deep]).droppedParameters == 1)
    }

    @Test(arguments: [("", false), ("a", true), (String(repeating: "é", count: 31), true), ("a\u{0}b", false)])
    func names(name: String, isPossible: Bool) {
        #expect(UserName.isPossible(name) == isPossible)
        #expect(UserName.isPossible(String(repeating: "a", count: 63)))
        #expect(!UserName.isPossible(String(repeating: "a", count: 64)))
    }
}
