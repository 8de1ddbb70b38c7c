import HBA
import Testing

/// A reader of files that exist in a dictionary only.
func memoryReader(_ files: [String: String], _ folders: [String: [String]] = [:]) -> HBAFileReader {
    HBAFileReader(
        read: { path in
            guard let text = files[path] else { return .failure(.missing) }
            switch text {
            case "<forbidden>": return .failure(.unreadable("permission denied"))
            case "<large>": return .failure(.tooLarge)
            default: return .success(Array(text.utf8))
            }
        },
        list: { folder in folders[folder].map { .success($0) } ?? .failure(.missing) }
    )
}

@Suite struct IncludeTests {
    private static func load(
        _ files: [String: String],
        _ folders: [String: [String]] = [:]
    ) throws(HBAErrors) -> HBAPolicy {
        try HBAPolicy.load(path: "/etc/main", methods: knownMethods, reader: memoryReader(files, folders))
    }

    private static func errors(_ files: [String: String], _ folders: [String: [String]] = [:]) -> [String] {
        do {
            _ = try Self.load(files, folders)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    @Test func includedRulesStandWhereTheDirectiveStands() throws {
        let policy = try Self.load([
            "/etc/main": "local a all md5\ninclude sub/one\ninclude_if_exists no\nlocal z all md5",
            "/etc/sub/one": "# one\nlocal b all md5\ninclude two\n\"include\" \"/etc/three x\"",
            "/etc/sub/two": "local c all md5",
            "/etc/three x": "local d all md5",
        ])
        let expected = [
            "/etc/main:1 a", "/etc/sub/one:2 b", "/etc/sub/two:1 c", "/etc/three x:1 d", "/etc/main:4 z",
        ]
        #expect(policy.rules.map { "\($0.file):\($0.line) \($0.databases[0])" } == expected)
        #expect(policy.rules.map(\.index) == [1, 2, 3, 4, 5])
    }

    @Test func foldersGiveTheirConfFilesInTheOrderOfBytes() throws {
        let names = ["b.conf", "a.conf", "B.conf", ".hidden.conf", ".conf", "c.conf~", "d", "e.CONF", "\u{E9}.conf"]
        var files = ["/etc/main": "include_dir d"]
        for name in names { files["/etc/d/\(name)"] = "local \"\(name)\" all md5" }
        let policy = try Self.load(files, ["/etc/d": names])
        #expect(policy.rules.map(\.file) == ["B", "a", "b", "\u{E9}"].map { "/etc/d/\($0).conf" })
        #expect(try Self.load(files, ["/etc/d": []]).rules.isEmpty)
    }

    @Test func listsOfNamesComeFromFiles() throws {
        let policy = try Self.load([
            "/etc/main": "local x,@dbs,\"@y\" @\"my users\" md5",
            "/etc/dbs": "a, b # c\n\n\"all\" all\n@more/dbs",
            "/etc/more/dbs": "z @own",
            "/etc/more/own": "sameuser",
            "/etc/my users": "+staff /^x \"+n\"",
        ])
        let rule = try #require(policy.rules.first)
        #expect(rule.description == "local x,a,b,\"all\",all,z,sameuser,\"@y\" +staff,/^x,\"+n\" md5")
        #expect(rule.source == "local x,@dbs,\"@y\" @\"my users\" md5")
    }

    @Test(arguments: [
        ("include none", "/etc/main:1:9: \"/etc/none\" cannot be read: it does not exist"),
        ("include_dir none", "/etc/main:1:13: the folder \"/etc/none\" cannot be read: it does not exist"),
        ("include forbidden", "/etc/main:1:9: \"/etc/forbidden\" cannot be read: permission denied"),
        ("include_if_exists forbidden", "/etc/main:1:19: \"/etc/forbidden\" cannot be read: permission denied"),
        ("include large", "/etc/main:1:9: \"/etc/large\" cannot be read: it is longer than 1048576 bytes"),
        ("# x\n\nlocal @none all md5", "/etc/main:3:7: \"/etc/none\" cannot be read: it does not exist"),
        ("local a,@empty all md5\nlocal @empty all md5", "/etc/main:2:7: the list is empty: no name is in the file"),
        ("include bad", "/etc/bad:2:7: unknown connection type \"hots\"; did you mean host?"),
        ("local all @badnames md5", "/etc/badnames:1:3: double quote without a closing one; "),
        ("local all @wrongnames md5", "/etc/wrongnames:1:4: empty user name"),
        ("local all @including md5", "/etc/including:1:1: an include directive inside a list of names; "),
    ])
    func errorsNameTheFileTheyAreIn(_ text: String, _ expected: String) {
        let found = Self.errors([
            "/etc/main": text, "/etc/forbidden": "<forbidden>", "/etc/large": "<large>", "/etc/empty": "# none\n",
            "/etc/bad": "local all all md5\n      hots all all all md5", "/etc/badnames": "a \"b",
            "/etc/wrongnames": "a, \"\"", "/etc/including": "include /etc/empty",
        ])
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix(expected) == true, "\(found)")
    }

    @Test func errorsOfAllFilesAreToldAtOnceInTheirOrder() {
        let found = Self.errors(
            [
                "/etc/main": "x\ninclude a\ny\ninclude_dir d\nz", "/etc/a": "1", "/etc/d/b.conf": "2",
                "/etc/d/c.conf": "3",
            ],
            ["/etc/d": ["c.conf", "b.conf"]]
        )
        let places = found.map { $0.split(separator: " ")[0] }
        #expect(places == [
            "/etc/main:1:1:", "/etc/a:1:1:", "/etc/main:3:1:", "/etc/d/b.conf:1:1:", "/etc/d/c.conf:1:1:",
            "/etc/main:5:1:",
        ])
    }

    @Test(arguments: ["include main", "local @main all md5", "include_dir /etc/d"])
    func cyclesAreErrors(_ text: String) {
        let found = Self.errors(["/etc/main": text, "/etc/d/x.conf": text], ["/etc/d": ["x.conf"]])
        #expect(found.count == 1)
        #expect(found.first?.contains("is nested too deep") == true, "\(found)")
    }

    @Test func tenFilesMayStandInsideEachOther() throws {
        var files = ["/etc/main": "include 1", "/etc/10": "local all all md5"]
        for depth in 1..<10 { files["/etc/\(depth)"] = "include \(depth + 1)" }
        #expect(try Self.load(files).rules.map(\.file) == ["/etc/10"])
        files["/etc/10"] = "include 11"
        files["/etc/11"] = ""
        #expect(Self.errors(files).count == 1)
    }

    /// Files that include others many times each: the number of readings is bounded, and so is the time.
    @Test(.timeLimit(.minutes(1))) func fanOutIsBounded() {
        var files: [String: String] = [:]
        for depth in 0..<10 {
            files[depth == 0 ? "/etc/main" : "/etc/\(depth)"] = String(repeating: "include \(depth + 1)\n", count: 100)
        }
        files["/etc/10"] = "local all all md5"
        #expect(Self.errors(files).contains { $0.contains("too many files are included") })
        files = ["/etc/main": String(repeating: "include big\n", count: 100)]
        files["/etc/big"] = String(repeating: "#", count: HBAPolicy.maximumTextSize)
        #expect(Self.errors(files).contains { $0.contains("too large together") })
    }

    @Test(.timeLimit(.minutes(1))) func numberOfRulesIsBounded() throws {
        let line = "local a a md5\n"
        #expect(HBAPolicy.maximumRules == 100_000)
        let files = ["/etc/main": "include 1\ninclude 1\n\(line)", "/etc/1": String(repeating: line, count: 50_000)]
        #expect(Self.errors(files) == ["/etc/main:3:1: more than 100000 rules"])
    }

    @Test func relativeNamesOfInlineTextsCountFromTheFolderOfTheirName() throws {
        let reader = memoryReader(["sub/names": "alice", "names": "bob"])
        let inFolder = try HBAPolicy.parse(
            text: "local all @names md5",
            file: "sub/rules",
            methods: knownMethods,
            reader: reader
        )
        #expect(inFolder.rules.first?.users == [.name("alice")])
        let plain = try HBAPolicy.parse(text: "local all @names md5", file: "r", methods: knownMethods, reader: reader)
        #expect(plain.rules.first?.users == [.name("bob")])
    }

    @Test func missingFileIsAnErrorOfItsOwn() {
        let found = Self.errors([:])
        #expect(found == ["/etc/main: cannot be read: it does not exist"])
    }

    @Test func bytesThatAreNoTextAreRefusedOutsideOfComments() throws {
        let read: @Sendable (String) -> Result<[UInt8], HBAFileProblem> = { path in
            .success(Array((path == "comment" ? "# x" : "local x").utf8) + [0xe9] + Array("\nlocal all all md5".utf8))
        }
        let reader = HBAFileReader(read: read, list: { _ in .failure(.missing) })
        #expect(try HBAPolicy.load(path: "comment", methods: knownMethods, reader: reader).rules.count == 1)
        let thrown = #expect(throws: HBAErrors.self) {
            try HBAPolicy.load(path: "name", methods: knownMethods, reader: reader)
        }
        #expect(thrown?.errors.map(\.description) == ["name:1:7: the word is not UTF-8"])
    }
}
