import Sessions
import Testing

@Suite struct SessionParametersTests {
    private func parse(_ parameters: [(name: String, value: String)]) throws -> [String] {
        try SessionParameters.parse(parameters).entries.map { "\($0.name)=\($0.value)" }
    }

    private func options(_ text: String) throws -> [String] { try self.parse([("options", text)]) }

    // MARK: Reading a startup packet

    @Test func namesOfTheProtocolAreLeftOut() throws {
        let entries = try self.parse([
            ("user", "u"), ("database", "d"), ("_pq_.x", "y"), ("replication", "false"), ("TimeZone", "UTC"),
        ])
        #expect(entries == ["TimeZone=UTC"])
    }

    @Test func nothingAskedForIsTheSharedNone() throws {
        #expect(try SessionParameters.parse([]) === SessionParameters.none)
        #expect(try SessionParameters.parse([("user", "u"), ("options", " ")]) === SessionParameters.none)
    }

    @Test func whatWasResetIsGivenBackByName() throws {
        #expect(SessionParameters.none.queryAfterReset == nil)
        let parameters = try SessionParameters.parse([("TimeZone", "it's"), ("my.name", "x")])
        let query = try #require(parameters.queryAfterReset)
        #expect(query.contains("(VALUES (E'TimeZone',E'it''s'),(E'my.name',E'x')) AS w(name,value)"))
    }

    /// What the others need is for the user to set, so the role comes last; nobody else's query speaks of roles.
    @Test func aRoleThatWasResetIsGivenBackLast() throws {
        let query = try #require(SessionParameters.parse([("role", "clerk"), ("z", "1")]).queryAfterReset)
        #expect(query.contains("(VALUES (E'z',E'1'),(E'role',E'clerk')) AS w(name,value)"))
        #expect(query.hasSuffix("AND pg_catalog.pg_has_role(session_user,r.oid,'MEMBER'))"))
        let other = try #require(SessionParameters.parse([("z", "1")]).queryAfterReset)
        #expect(!other.contains("pg_roles"))
    }

    @Test func aPathMayLeadToTheTemporarySchema() throws {
        for path in ["pg_temp", "\"$user\", PG_TEMP", "pg_temp_3"] {
            #expect(try SessionParameters.parse([("Search_Path", path)]).mayCreateTemporary)
        }
        #expect(try SessionParameters.parse([("options", "-c search_path=pg_temp")]).mayCreateTemporary)
        #expect(try !SessionParameters.parse([("search_path", "pg_tem"), ("a.b", "pg_temp")]).mayCreateTemporary)
        #expect(!SessionParameters.none.mayCreateTemporary)
    }

    @Test func entriesAreSortedAndEachNameStandsOnce() throws {
        #expect(try self.parse([("b", "1"), ("a", "2"), ("b", "3")]) == ["a=2", "b=3"])
    }

    @Test func namesIgnoreTheCaseOfASCIILetters() throws {
        #expect(try self.parse([("TIMEZONE", "a"), ("TimeZone", "b")]) == ["TimeZone=b"])
        let upper = try SessionParameters.parse([("Application_Name", "psql"), ("x", "1")])
        #expect(upper.applicationName == "psql")
        #expect(upper.contain("application_name") && upper.contain("X") && !upper.contain("y"))
        #expect(upper.reportedEntries == [SessionParameters.Entry(name: "x", value: "1")])
    }

    @Test func plainParametersWinOverOptions() throws {
        #expect(try self.parse([("work_mem", "1"), ("options", "-c work_mem=2 -c x=3")]) == ["work_mem=1", "x=3"])
    }

    /// As for every other parameter of the packet.
    @Test func theLastOptionsCount() throws {
        #expect(try self.parse([("options", "-c a=1"), ("options", "-c b=2")]) == ["b=2"])
        #expect(try self.parse([("options", "-Z"), ("options", "-c b=2")]) == ["b=2"])
    }

    @Test func valuesMayBeEmpty() throws {
        #expect(try self.parse([("search_path", "")]) == ["search_path="])
    }

    @Test(arguments: ["false", "off", "no", "0", "FALSE", "Off", "f", "N", "of"])
    func replicationTurnedOffIsFine(value: String) throws {
        #expect(try self.parse([("replication", value)]) == [])
    }

    @Test(arguments: ["true", "on", "yes", "1", "database", "", "junk", "o", "00", "falsey"])
    func replicationIsRefused(value: String) {
        #expect(throws: SessionParameters.Refusal.replicationUnsupported) { try self.parse([("replication", value)]) }
    }

    @Test(arguments: [
        "", "1a", "a b", "a'b", "a\"b", "a;b", "a=b", "a-b", ".a", "$a", "a\\b", "a[0]", "a@b", "a`b", "a{",
    ])
    func invalidNamesAreRefused(name: String) {
        #expect(throws: SessionParameters.Refusal.invalidName(name)) { try self.parse([(name, "x")]) }
    }

    @Test(arguments: ["a", "_a", "A9", "my.setting", "a$b", "\u{e9}t\u{e9}", "TimeZone", "z_", "Z"])
    func validNamesAreTaken(name: String) throws {
        #expect(try self.parse([(name, "x")]) == ["\(name)=x"])
    }

    @Test func namesAreBoundInLength() {
        #expect(throws: Never.self) { try self.parse([(String(repeating: "a", count: 63), "")]) }
        let long = String(repeating: "a", count: 64)
        #expect(throws: SessionParameters.Refusal.invalidName(long)) { try self.parse([(long, "")]) }
    }

    // MARK: Options

    @Test(arguments: [
        ("-c a=1", ["a=1"]), ("-ca=1", ["a=1"]), ("--a=1", ["a=1"]), ("  -c   a=1\t--b=2\n", ["a=1", "b=2"]),
        ("-c a=1 -c a=2", ["a=2"]), ("--work-mem=1MB", ["work_mem=1MB"]), ("-c a=b=c", ["a=b=c"]), ("-c a=", ["a="]),
        ("-c a=x\\ y", ["a=x y"]), ("-c a=\\\\", ["a=\\"]), ("-c a=x\\", ["a=x"]), ("-c a=1-2", ["a=1-2"]),
        ("-c a=\u{301}x", ["a=\u{301}x"]), ("--a=\u{e9}\u{1F600}", ["a=\u{e9}\u{1F600}"]), ("", []), (" \r\n ", []),
        ("-c search_path=a,\\ b", ["search_path=a, b"]),
    ])
    func optionsAreReadAsPostgreSQLReadsThem(text: String, expected: [String]) throws {
        #expect(try self.options(text) == expected)
    }

    @Test(arguments: [
        ("-c", "-c"), ("-c a", "-c"), ("-ca", "-ca"), ("--a", "--a"), ("-d 5", "-d"), ("a=1", "a=1"), ("-", "-"),
        ("--", "--"), ("-c a=1 -E", "-E"), ("\\", ""),
    ])
    func otherOptionsAreRefused(text: String, word: String) {
        #expect(throws: SessionParameters.Refusal.unsupportedOptions(word)) { try self.options(text) }
    }

    @Test func namesWithinOptionsAreChecked() {
        #expect(throws: SessionParameters.Refusal.invalidName("")) { try self.options("-c =1") }
        #expect(throws: SessionParameters.Refusal.invalidName("a;b")) { try self.options("--a;b=1") }
    }

    @Test func mutatedOptionsNeverTrap() {
        for mutation in mutations(of: bytes("-c a=1 --b-c=x\\ y -cd=\u{e9}")) {
            _ = try? self.options(String(decoding: mutation, as: UTF8.self))
        }
    }

    // MARK: What the operator has settled

    @Test func settledParametersAreLeftOut() throws {
        let parameters = try SessionParameters.parse([("TimeZone", "UTC"), ("Work_Mem", "1MB"), ("search_path", "a")])
        let rest = parameters.removing(["timezone", "work_mem", "other"])
        #expect(rest.entries == [SessionParameters.Entry(name: "search_path", value: "a")])
        #expect(rest.removing(["search_path"]) === SessionParameters.none)
        #expect(parameters.removing([]) === parameters)
        #expect(parameters.removing(["other", "TimeZone"]) === parameters)
        let name = try SessionParameters.parse([("application_name", "psql")])
        #expect(name.removing(["application_name"]).applicationName == nil)
    }

    @Test func anotherApplicationName() throws {
        let parameters = try SessionParameters.parse([("search_path", "a"), ("Application_Name", "psql")])
        let named = parameters.named("billing")
        #expect(named.applicationName == "billing")
        #expect(named.entries.map(\.name) == ["application_name", "search_path"])
        #expect(SessionParameters.none.named("billing").entries.map(\.value) == ["billing"])
    }

    // MARK: From one client's parameters to another's

    private typealias Asked = [(name: String, value: String)]

    private func query(_ old: Asked, _ new: Asked) throws -> String? {
        try SessionParameters.parse(new).query(replacing: try SessionParameters.parse(old))
    }

    @Test func sameParametersNeedNoQuery() throws {
        #expect(try self.query([], []) == nil)
        #expect(try self.query([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")]) == nil)
        let parameters = try SessionParameters.parse([("a", "1")])
        #expect(parameters.isSame(as: parameters))
        #expect(try parameters.isSame(as: SessionParameters.parse([("a", "1")])))
        #expect(!parameters.isSame(as: .none))
    }

    @Test func onlyDifferencesAreSet() throws {
        #expect(
            try self.query([("a", "1"), ("b", "2")], [("a", "1"), ("b", "3"), ("c", "4")])
                == "SELECT pg_catalog.set_config(E'b',E'3',false),pg_catalog.set_config(E'c',E'4',false)"
        )
    }

    @Test func whatTheOldClientHadIsReset() throws {
        let both = try self.query([("my.var", "1"), ("TimeZone", "UTC")], [])
        #expect(both == "RESET \"TimeZone\";RESET \"my\".\"var\";")
        #expect(
            try self.query([("a", "1")], [("b", "2")])
                == "RESET \"a\";SELECT pg_catalog.set_config(E'b',E'2',false)"
        )
    }

    /// `ISO` alone would keep the order of day and month of the client before.
    @Test func aDateStyleBeginsAtTheServersOwn() throws {
        #expect(
            try self.query([("DateStyle", "German"), ("a", "1")], [("DateStyle", "ISO"), ("a", "1")])
                == "RESET \"DateStyle\";SELECT pg_catalog.set_config(E'DateStyle',E'ISO',false)"
        )
        #expect(try self.query([("DateStyle", "ISO"), ("a", "1")], [("DateStyle", "ISO")]) == "RESET \"a\";")
    }

    /// Two schemas: PostgreSQL compares bytes.
    @Test func spellingsOfALetterAreDifferentValues() throws {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
        let one = try SessionParameters.parse([("search_path", composed)])
        let other = try SessionParameters.parse([("search_path", decomposed)])
        #expect(!one.isSame(as: other))
        #expect(one.entries != other.entries)
        #expect(Set([one.entries, other.entries]).count == 2)
        #expect(
            other.query(replacing: one)
                == "SELECT pg_catalog.set_config(E'search_path',E'cafe\\xcc\\x81',false)"
        )
        #expect(try SessionParameters.parse([(composed, "1"), (decomposed, "2")]).entries.count == 2)
    }

    /// The reset comes first, so that another spelling of the same name keeps its value.
    @Test func anotherSpellingIsResetBeforeItIsSet() throws {
        #expect(
            try self.query([("TimeZone", "a")], [("timezone", "b")])
                == "RESET \"TimeZone\";SELECT pg_catalog.set_config(E'timezone',E'b',false)"
        )
    }

    /// What is set and reset in between is the affair of the user who has logged in.
    @Test func aRoleIsLeftFirstAndTakenOnLast() throws {
        #expect(
            try self.query([("a", "1"), ("ROLE", "clerk")], [("role", "clerk"), ("z", "2")])
                == "RESET \"ROLE\";RESET \"a\";"
                + "SELECT pg_catalog.set_config(E'z',E'2',false),pg_catalog.set_config(E'role',E'clerk',false)"
        )
        #expect(
            try self.query([("a", "1"), ("role", "clerk")], [("a", "2"), ("role", "clerk")])
                == "RESET \"role\";"
                + "SELECT pg_catalog.set_config(E'a',E'2',false),pg_catalog.set_config(E'role',E'clerk',false)"
        )
        #expect(try self.query([("a", "1"), ("role", "clerk")], []) == "RESET \"role\";RESET \"a\";")
        // What everybody may set: the role stays as it is, and cannot be refused.
        #expect(
            try self.query([("TimeZone", "a"), ("role", "clerk")], [("TimeZone", "b"), ("role", "clerk")])
                == "SELECT pg_catalog.set_config(E'TimeZone',E'b',false)"
        )
    }

    @Test(arguments: [
        ([("TimeZone", "a")], [("timezone", "b"), ("application_name", "x")], true),
        ([], [("search_path", "a")], false), ([("search_path", "a")], [], false),
        ([("search_path", "a")], [("search_path", "a"), ("DateStyle", "ISO")], true),
        ([("role", "a"), ("TimeZone", "a")], [("role", "a"), ("TimeZone", "b")], true),
        ([("role", "a")], [("role", "b")], false), ([("ROLE", "a")], [("role", "a")], false),
        ([], [("my.name", "a")], false), ([], [("statement_timeout", "1s")], false),
        ([("statement_timeout", "1s")], [("statement_timeout", "1s")], true),
        ([("statement_timeout", "1s")], [("statement_timeout", "1s"), ("TimeZone", "b")], false),
        ([("Transaction_Timeout", "1s"), ("TimeZone", "a")], [("TimeZone", "b")], false),
    ] as [([(String, String)], [(String, String)], Bool)])
    func whatCannotBeRefusedLater(old: [(String, String)], new: [(String, String)], isSteady: Bool) throws {
        let parsed = try SessionParameters.parse(new)
        #expect(try parsed.isSteady(replacing: SessionParameters.parse(old)) == isSteady)
        #expect(try parsed.isSteady(replacing: SessionParameters.parse(new)))
    }

    /// A server that has taken these values takes them again, whatever is asked for with them.
    @Test func theMarkStandsForSteadyValues() throws {
        func mark(_ asked: (String, String)...) throws -> Int { try SessionParameters.parse(asked).steadyMark }
        #expect(SessionParameters.none.steadyMark == 0)
        #expect(try mark(("application_name", "a")) == 0)
        #expect(try mark(("search_path", "a"), ("my.name", "b")) == 0)
        let zone = try mark(("TimeZone", "UTC"))
        #expect(zone != 0)
        #expect(try zone == mark(("application_name", "a"), ("search_path", "a"), ("TimeZone", "UTC")))
        #expect(try zone != mark(("TimeZone", "CET")))
        #expect(try zone != mark(("TimeZone", "UTC"), ("DateStyle", "ISO")))
        #expect(try mark(("DateStyle", "ISO"), ("TimeZone", "UTC")) == mark(("TimeZone", "UTC"), ("DateStyle", "ISO")))
    }

    /// As with PostgreSQL, where the session is the one that has logged in.
    @Test func sessionAuthorizationInAStartupPacketChangesNothing() throws {
        let asked = [("Session_Authorization", "boss"), ("a", "1"), ("options", "-c session_authorization=boss")]
        #expect(try SessionParameters.parse(asked).entries == [SessionParameters.Entry(name: "a", value: "1")])
        #expect(try SessionParameters.parse([("session_authorization", "boss")]) === SessionParameters.none)
    }

    @Test func valuesCannotLeaveTheirQuotes() throws {
        #expect(
            try self.query([], [("application_name", "'); DROP TABLE t; --\\")])
                == "SELECT pg_catalog.set_config(E'application_name',E'''); DROP TABLE t; --\\\\',false)"
        )
    }
}

@Suite struct SQLTextTests {
    @Test(arguments: [
        ("", "E''"), ("a", "E'a'"), ("'", "E''''"), ("\\", "E'\\\\'"), ("\\'", "E'\\\\'''"), ("''", "E''''''"),
        ("a\nb", "E'a\nb'"), ("\"$1", "E'\"$1'"),
        // A quote stays a quote under a combining mark.
        ("'\u{301}", "E'''\\xcc\\x81'"), ("\\\u{301}", "E'\\\\\\xcc\\x81'"),
        ("\u{e9}", "E'\\xc3\\xa9'"), ("\u{3042}\\'", "E'\\xe3\\x81\\x82\\\\'''"), ("\u{e9}f", "E'\\xc3\\xa9f'"),
    ])
    func literals(text: String, expected: String) {
        #expect(SQLText.literal(text) == expected)
    }

    /// Whatever `client_encoding` the session has, ASCII reads the same.
    @Test func literalsAreASCII() {
        for scalar in (1...0x2FF).compactMap({ Unicode.Scalar($0 as UInt32) }) {
            let literal = SQLText.literal(String(scalar))
            #expect(literal.utf8.allSatisfy { $0 < 0x80 })
            let body = literal.utf8.dropFirst(2).dropLast()
            #expect(body.filter { $0 == UInt8(ascii: "'") }.count % 2 == 0)
        }
    }

    @Test(arguments: [
        ("a", "\"a\""), ("TimeZone", "\"TimeZone\""), ("a.b", "\"a\".\"b\""), ("a.b.c", "\"a\".\"b\".\"c\""),
        ("a\"b", "\"a\"\"b\""), ("a\".\"b", "\"a\"\"\".\"\"\"b\""), ("\"\u{301}", "\"\"\"\u{301}\""),
    ])
    func identifiers(name: String, expected: String) {
        #expect(SQLText.identifier(name) == expected)
    }
}
