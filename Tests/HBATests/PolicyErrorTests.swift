import HBA
import Testing

@Suite struct PolicyErrorTests {
    /// Text, `LINE:COLUMN`, part of the reason, part of the hint.
    private static let table: [(text: String, place: String, reason: String, hint: String?)] = [
        ("local all all truts", "1:15", "unknown method \"truts\"", "trust"),
        ("local all all MD5", "1:15", "unknown method \"MD5\"", "md5"),
        ("local all all scram-sha_256", "1:15", "unknown method", "scram-sha-256"),
        ("local all all zzzzzzzz", "1:15", "unknown method \"zzzzzzzz\"", "md5, password, reject, scram-sha-256"),
        ("local all all ldap", "1:15", "PostgreSQL's method \"ldap\" is not available", "the methods are"),
        ("local all all map=x", "1:15", "an option stands where a method is expected", nil),
        ("local all all 127.0.0.1/32 md5", "1:15", "stands where a method is expected", "local"),
        ("host all all md5", "1:14", "the address is missing before the method md5", nil),
        ("host all all scramsha256", "1:14", "the address is missing before the method scramsha256", nil),
        ("\n\n  hots all all all md5", "3:3", "unknown connection type \"hots\"", "host"),
        ("Local all all md5", "1:1", "unknown connection type \"Local\"", "local"),
        ("hostzzzzzzzzz all all md5", "1:1", "unknown connection type", "hostnogssenc"),
        ("local", "1:6", "the line ends where a database is expected", nil),
        ("local all # x", "1:14", "the line ends where a user is expected", nil),
        ("host all all", "1:13", "the line ends where an address is expected", nil),
        ("host all all 10.0.0.0/8", "1:24", "the line ends where a method is expected", nil),
        ("host all all 10.0.0.1", "1:22", "the line ends where the mask of 10.0.0.1 is expected", nil),
        ("host all all 10.0.0.1 md5", "1:23", "\"md5\" is not an IP mask", "10.0.0.1/32"),
        ("host all all 10.0.0.0 ffff:: md5", "1:23", "different families", nil),
        ("host all all 10.0.0.0/33 md5", "1:14", "\"33\" is not a prefix length of 0 to 32", nil),
        ("host all all ::/129 md5", "1:14", "\"129\" is not a prefix length of 0 to 128", nil),
        ("host all all example.com/8 md5", "1:14", "\"example.com\" is not an IP address", nil),
        ("host all all a,b md5", "1:14", "the address cannot be a list", "one rule per address range"),
        ("local,host all all md5", "1:1", "the connection type cannot be a list", nil),
        ("local all all md5,trust", "1:15", "the method cannot be a list", nil),
        ("local @dbs all md5", "1:7", "files cannot be included here", nil),
        ("local all a,@\"my users\" md5", "1:13", "files cannot be included here", nil),
        ("local @\u{308}dbs all md5", "1:7", "files cannot be included here", nil),
        ("host all all @nets md5", "1:14", "a file can hold databases or users", "double quotes"),
        ("include more.conf", "1:9", "files cannot be included here", nil),
        ("include_if_exists more.conf", "1:19", "files cannot be included here", nil),
        ("include_dir \"conf d\"", "1:13", "files cannot be included here", nil),
        ("include a b", "1:1", "include takes one name", nil),
        ("include a,b", "1:1", "include takes one name", nil),
        ("include", "1:1", "include takes one name", nil),
        ("include \"\"", "1:1", "include takes one name", nil),
        ("local /a(b all md5", "1:7", "regular expression \"/a(b\": an opening parenthesis", "character 3"),
        ("local all x,\"/(a)\\1\" md5", "1:13", "a back reference is not supported", nil),
        ("local / all md5", "1:7", "nothing stands behind the slash", nil),
        ("local all a,+ md5", "1:13", "empty role name", "double quotes"),
        ("local sa\"merole\" all md5", "1:7", "quotes inside", "\"samerole\""),
        ("host all all same\"net\" md5", "1:14", "quotes inside", "\"samenet\""),
        ("host all all sameHost md5", "1:14", "looks like a mistake", "did you mean samehost?"),
        ("host all all a..b md5", "1:14", "neither an address nor a host name", nil),
        ("host all all all md5 map=x", "1:22", "method md5 takes no option map", nil),
        ("host all all all md5 clientcert=verify-full", "1:22", "hostssl only", nil),
        ("hostssl all all all md5 clientcert=yes", "1:25", "neither verify-ca nor verify-full", nil),
        ("local \"all all md5", "1:7", "double quote without a closing one", nil),
        ("local \"a\"\" all md5", "1:10", "double quote without a closing one", nil),
        ("local \"\" all md5", "1:7", "empty database name", nil),
        ("local all \"\" md5", "1:11", "empty user name", nil),
        ("local all a\"ll\" md5", "1:11", "quotes inside", "\"all\""),
        ("local all all md5 option", "1:19", "option 1 is not of the form name=value", nil),
        ("local all all md5 a=1 b = 2", "1:23", "option 2 is not of the form", "no blanks"),
        ("local all all md5 =x", "1:19", "option 1 is not of the form", nil),
        ("local all all md5 a=1,a=2", "1:23", "option \"a\" is given twice", nil),
        ("# c\r\nlocal all all md5\rlocal all all trust", "2:18", "carriage return inside a line", "LF"),
        ("local a\0b all md5", "1:8", "NUL character", nil),
        ("# \0", "1:3", "NUL character", nil),
        ("local all\u{A0}all md5", "1:10", "character U+00A0", "double quotes"),
        ("local \u{201C}all\u{201D} all md5", "1:7", "character U+201C", nil),
        ("local a\u{200B} all md5", "1:8", "character U+200B", nil),
        ("\u{FEFF}local all all md5\n\u{FEFF}local all all md5", "2:1", "character U+FEFF", nil),
        ("local \"\u{E9}\u{E9}\" all \\\n  \u{E9}\u{E9}", "2:3", "unknown method \"\u{E9}\u{E9}\"", nil),
        ("local all \\\r\nall \\\r\n bad", "3:2", "unknown method \"bad\"", nil),
    ]

    @Test(arguments: Self.table)
    func namesPlaceAndReason(_ text: String, _ place: String, _ reason: String, _ hint: String?) throws {
        let found = errors(text)
        let first = try #require(found.first)
        #expect(found.count == 1, "\(found)")
        #expect(first.reason.contains(reason), "\(first)")
        #expect("\(first.line):\(first.column)" == place)
        if let hint {
            #expect(first.hint?.contains(hint) == true, "\(first)")
        }
        #expect(first.description.hasPrefix("pg_hba.conf:\(place): "))
    }

    @Test func tellsAllErrorsAtOnceInTheOrderOfTheText() {
        let text = """
            local all all md5
            locl all all md5
            local "all all md5
            host /( +staff,/[ ..x ldap
            local all all trsut
            """
        let found = errors(text).map { "\($0.line):\($0.column)" }
        #expect(found == ["2:1", "3:7", "4:6", "4:16", "4:19", "4:23", "5:15"])
    }

    @Test func countsErrorsBeyondTheLimit() throws {
        let text = String(repeating: "nonsense\n", count: 1000)
        let thrown = #expect(throws: HBAErrors.self) { try policy(text) }
        #expect(thrown?.errors.count == HBAErrors.maximumCount)
        #expect(thrown?.omittedCount == 1000 - HBAErrors.maximumCount)
        #expect(thrown?.errors.last?.line == HBAErrors.maximumCount)
        #expect(thrown?.description.hasSuffix("and 900 more errors") == true)
    }

    @Test func limitIsKeptAcrossBothPasses() {
        let text = String(repeating: "nonsense\nlocal \"\n", count: 500)
        let thrown = #expect(throws: HBAErrors.self) { try policy(text) }
        #expect(thrown?.errors.count == HBAErrors.maximumCount)
        #expect(thrown?.omittedCount == 1000 - HBAErrors.maximumCount)
        #expect(thrown?.errors.first?.line == 1)
    }

    @Test func valuesOfOptionsAreNeverQuoted() {
        let secret = "hunter2"
        for line in [
            "local all all md5 ldapbindpasswd = \(secret)", "local all all md5 ldapbindpasswd=x \(secret)",
            "local all all ldapbindpasswd=\(secret)", "local all all md5 ldap bindpasswd=x,\(secret)",
            "local all all md5 a=1 a=\(secret)", "local all all md5 ldap:bind=\(secret)",
        ] {
            let found = errors(line)
            #expect(!found.isEmpty)
            #expect(!found.contains { $0.description.contains(secret) }, "\(found)")
        }
    }

    @Test func refusesTooLongATextAndReadsTheLongest() throws {
        let longest = String(repeating: "#", count: HBAPolicy.maximumTextSize)
        #expect(try policy(longest).rules.isEmpty)
        let found = errors(longest + "#")
        #expect(found.map(\.line) == [0])
    }
}
