import PGWire

/// Draws conversations by lot. Each has its own mood, so that rare combinations are common in some.
struct TalkSource {
    private var random: SeededRandom
    private let names: [String]
    private let favourites: [String]
    private let errors: Int
    private let queries: Int
    private let unsynced: Int
    private let begins: Int
    private let leaving: Int
    private let length: Int

    private static let long = String(repeating: "long", count: 16)
    /// The two long ones are one name, cut after 63 bytes. The gateway's own names belong to nobody else.
    private static let allNames = [
        "a", "b", "c", "A", "all", String(long.prefix(63)), long, "pggateway_1", "pggateway_2", "pggateway_refused",
    ]
    private static let portals = ["", "", "", "p", "q"]
    private static let texts = [
        "select 1", "select 2", "select $1", "select $1", "select * from place", "values (1),(2),(3)", "select 3",
        "update t set a = 1", "select 1/0", "begin", "commit", "rollback", "", "deallocate a", "deallocate \"A\"",
        "deallocate b", "deallocate all", "discard all", "selekt", "select * from missing", "select 1; select 2",
    ]
    private static let queryTexts = [
        "select 1", "select 1; select 2", "begin", "begin", "commit", "rollback", "", "selekt", "select 1/0",
        "select 1; select 1/0; select 2", "deallocate a", "deallocate \"A\"", "DEALLOCATE b;", "deallocate all",
        "select 1; deallocate a; select 2", "deallocate a; select 1/0", "select 1/0; deallocate a",
        "deallocate a; deallocate a", "begin; deallocate a; rollback", "select 1; deallocate all", "discard all",
        "deallocate nobody", "deallocate \(long)", "deallocate a; deallocate b",
        "rollback; deallocate a", "commit; deallocate all",
    ]

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        self.names = Array(Self.allNames.shuffled(using: &random).prefix([2, 4, 6].randomElement(using: &random) ?? 2))
        self.favourites = Array(Self.texts.shuffled(using: &random).prefix(5))
        self.errors = [1, 4, 15].randomElement(using: &random) ?? 1
        self.queries = [0, 3, 10].randomElement(using: &random) ?? 0
        self.unsynced = [0, 10, 40].randomElement(using: &random) ?? 0
        self.begins = [0, 10, 40].randomElement(using: &random) ?? 0
        self.leaving = [0, 3, 10].randomElement(using: &random) ?? 0
        self.length = [2, 6, 16].randomElement(using: &random) ?? 2
        self.random = random
    }

    /// - Parameter backends: what each client would be talking to without a gateway.
    mutating func step(clients: Int, backend: (Int) -> FakeBackend) -> ModelStep {
        let client = Int.random(in: 0..<clients, using: &self.random)
        var talks = self.batch(backend(client))
        let pace = self.random.next()
        guard self.random.chance(self.leaving) else { return ModelStep(client: client, talks: talks, pace: pace) }
        let isPolite = self.random.chance(30)
        if isPolite { talks.append(.terminate) }
        let all = talks.reduce(0) { $0 + $1.bytes.count }
        let count = isPolite ? all : Int.random(in: 0...all, using: &self.random)
        return ModelStep(client: client, talks: talks, end: .vanishes(after: count), pace: pace)
    }

    private mutating func batch(_ backend: FakeBackend) -> [Talk] {
        var backend = backend
        var talks: [Talk] = []
        func add(_ more: [Talk]) {
            talks += more
            for talk in more { backend.receive(talk.bytes) }
        }
        if !backend.isInBlock, self.random.chance(self.begins) { add([.query("begin")]) }
        for _ in 0..<Int.random(in: 1...self.length, using: &self.random) { add(self.some(backend)) }
        if !self.random.chance(self.unsynced) {
            add([.sync])
        } else if self.random.chance(60) {
            add([.flush])
        }
        if backend.isInBlock, self.random.chance(30) {
            add([.sync, .query(self.random.chance(50) ? "commit" : "rollback")])
        }
        return talks
    }

    /// A message, or a few that belong together.
    private mutating func some(_ backend: FakeBackend) -> [Talk] {
        switch Int.random(in: 0..<(96 + self.queries), using: &self.random) {
        case ..<24: return self.run(backend)
        case ..<38: return [self.parse(self.name(backend, isNew: true))]
        case ..<52: return [self.bind(backend, self.name(backend))]
        case ..<58: return [.describe(.statement, self.name(backend))]
        case ..<62: return [.describe(.portal, self.portal(backend))]
        case ..<74:
            let name = self.portal(backend)
            let isRisky = backend.portals[Array(name.utf8)] == nil && !self.random.chance(self.errors)
            return isRisky ? [] : [.execute(name, self.random.chance(60) ? 0 : 2)]
        case ..<80: return [.close(.statement, self.name(backend))]
        case ..<83: return [.close(.portal, self.portal(backend))]
        case ..<86: return [.flush]
        case ..<93: return [.sync]
        case 93: return [.call]
        case 94: return self.copy(backend)
        case 95: return self.random.chance(self.errors * 5) ? [self.malformed()] : []
        default: return [.query(Self.queryTexts.randomElement(using: &self.random) ?? "")]
        }
    }

    /// A whole batch, as drivers have it.
    private mutating func run(_ backend: FakeBackend) -> [Talk] {
        let name = self.name(backend, isNew: true)
        var talks: [Talk] = []
        var text: String?
        if !self.isKnown(name, backend) || self.random.chance(10) {
            let parse = self.parse(name)
            if case .parse(_, let parsed, _) = parse { text = parsed }
            talks.append(parse)
        }
        if self.random.chance(20) { talks.append(.describe(.statement, name)) }
        let portal = self.random.chance(30) ? Self.portals.randomElement(using: &self.random) ?? "" : ""
        talks.append(self.bind(backend, name, portal: portal, text: text))
        if self.random.chance(50) { talks.append(.describe(.portal, portal)) }
        talks.append(.execute(portal, self.random.chance(75) ? 0 : 2))
        return talks
    }

    private func isKnown(_ name: String, _ backend: FakeBackend) -> Bool {
        backend.statements[FakeBackend.cut(Array(name.utf8))] != nil
    }

    /// Mostly a name that exists, or for a Parse one that does not.
    private mutating func name(_ backend: FakeBackend, isNew: Bool = false) -> String {
        if self.random.chance(self.errors) { return Self.allNames.randomElement(using: &self.random) ?? "" }
        if self.random.chance(30) { return "" }
        let fitting = self.names.filter { self.isKnown($0, backend) != isNew || (isNew && self.random.chance(30)) }
        return fitting.randomElement(using: &self.random) ?? ""
    }

    private mutating func parse(_ name: String) -> Talk {
        let isFavourite = self.random.chance(50)
        var text = (isFavourite ? self.favourites : Self.texts).randomElement(using: &self.random) ?? ""
        let isWrong = ["selekt", "select * from missing", "select 1; select 2"].contains(text)
        if isWrong, !self.random.chance(3 * self.errors) { text = "select 1" }
        let types: [[Int32]] = text == "select $1" ? [[], [23], [25]] : [[]]
        return .parse(name, text, types.randomElement(using: &self.random) ?? [])
    }

    private mutating func bind(
        _ backend: FakeBackend,
        _ name: String,
        portal: String? = nil,
        text: String? = nil
    ) -> Talk {
        let known = backend.statements[FakeBackend.cut(Array(name.utf8))]?.command
        let command = text.map { FakeCommand(Array($0.utf8)) } ?? known
        let value = self.random.chance(self.errors) ? "x" : "7"
        let isRight = !self.random.chance(self.errors)
        let parameters = (command == .echo) == isRight ? [value] : []
        return .bind(portal ?? Self.portals.randomElement(using: &self.random) ?? "", name, parameters)
    }

    private mutating func portal(_ backend: FakeBackend) -> String {
        let known = backend.portals.keys.map(FakeBackend.string).sorted()
        if !self.random.chance(self.errors), let name = known.randomElement(using: &self.random) { return name }
        return self.random.chance(self.errors) ? "nobody" : ""
    }

    /// COPY with all that belongs to it, so that nobody waits for data for ever.
    private mutating func copy(_ backend: FakeBackend) -> [Talk] {
        if backend.isSkipping { return [.sync] }
        let data = ["1", "2", self.random.chance(30) ? "bad" : "3"].map { Talk.copyData($0) }
        let end: Talk = self.random.chance(70) ? .copyDone : .copyFail
        if self.random.chance(50) { return [.sync, .query("copy t from stdin")] + data + [end] }
        // Nobody is to find the statement later.
        let statement: [Talk] = [.parse("", "copy t from stdin"), .bind("", ""), .close(.statement, "")]
        let start = [.sync] + statement + [.execute("")]
        return start + data + [end, .sync]
    }

    private mutating func malformed() -> Talk {
        let kind = ["P", "B", "D", "E", "C"].randomElement(using: &self.random) ?? "P"
        let bodies: [[UInt8]] = [
            [], [0], [0x53], [0x50, 0], [0x53, 0x61], [0x53, 0x61, 0, 0], [0, 0, 0], [0x61, 0, 0x61],
        ]
        return .raw(Character(kind), bodies.randomElement(using: &self.random) ?? [])
    }
}
