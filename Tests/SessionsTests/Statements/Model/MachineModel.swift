import PGWire
@testable import Sessions

/// The machine for prepared statements between clients and servers, without I/O: the bytes of every connection come in
/// pieces and in an order drawn by lot, and each client's answers are compared with those of a PostgreSQL of its own.
///
/// The ways of the bytes are those of `ClientConnection+Statements` and `ServerConnection+Statements` in the Gateway.
final class MachineModel {
    struct Shape: Sendable, CustomStringConvertible {
        var servers = 1
        /// Statements per server, and per pool.
        var serverMax = 1000
        var poolMax = 1000
        var sharesUnnamed = true
        var recentMax = 32
        /// Different hash codes; 0 for a hash that tells everything apart.
        var hashes: UInt64 = 0

        var hash: TextHash {
            let hashes = self.hashes
            return hashes == 0 ? .keyed : TextHash { bytes in UInt64(bytes.count) % hashes }
        }

        var description: String {
            "\(self.servers) servers of \(self.serverMax), pool of \(self.poolMax), shares \(self.sharesUnnamed), "
                + "recent \(self.recentMax), hashes \(self.hashes)"
        }
    }

    /// How often what is to be tested has happened at all.
    struct Tally {
        var messages = 0
        var hits: UInt64 = 0
        var misses: UInt64 = 0
        var evictions: UInt64 = 0
        var injected = 0
        var dropped = 0
        var holds = 0
        var substituted = 0
        var turns = 0
        var errors = 0

        static func += (left: inout Tally, right: Tally) {
            left.messages += right.messages
            left.hits += right.hits
            left.misses += right.misses
            left.evictions += right.evictions
            left.injected += right.injected
            left.dropped += right.dropped
            left.holds += right.holds
            left.substituted += right.substituted
            left.turns += right.turns
            left.errors += right.errors
        }
    }

    let shape: Shape
    let pool: ModelPool
    var clients: [Int: ModelClient] = [:]
    var servers: [ModelServer] = []
    var random = SeededRandom(seed: 0)
    var tally = Tally()
    /// The first difference or contradiction.
    var falsehood: String?

    init(_ shape: Shape) {
        self.shape = shape
        self.pool = ModelPool(
            capacity: shape.poolMax,
            sharesUnnamed: shape.sharesUnnamed,
            recentMax: shape.recentMax,
            hash: shape.hash
        )
        for _ in 0..<shape.servers { self.servers.append(ModelServer(capacity: shape.serverMax)) }
    }

    static func path(of client: Int) -> String { client % 3 == 2 ? "place" : "public" }

    func client(_ number: Int) -> ModelClient {
        if let client = self.clients[number] { return client }
        let client = ModelClient(number: number, path: Self.path(of: number))
        self.clients[number] = client
        return client
    }

    // MARK: Steps

    func run(_ step: ModelStep) {
        self.random = SeededRandom(seed: step.pace)
        let client = self.client(step.client)
        let bytes = step.talks.flatMap(\.bytes)
        self.tally.messages += step.talks.count
        switch step.end {
        case .none:
            client.wire += bytes
            client.direct.receive(bytes)
        case .vanishes(let count):
            client.wire += bytes.prefix(count)
            client.direct.receive(bytes.prefix(count))
        }
        let moves = [0, 2, 10, Int.max].randomElement(using: &self.random) ?? 0
        self.move(moves)
        if case .vanishes = step.end { self.vanish(client) }
    }

    /// Everybody ends what they began, and all that is due has come.
    func finish() {
        for client in self.clients.values.sorted(by: { $0.number < $1.number }) where !client.isGone {
            let last: [Talk] = [.sync, .query("rollback")]
            client.wire += last.flatMap(\.bytes)
            client.direct.receive(last.flatMap(\.bytes))
            self.move(.max)
        }
        for client in self.clients.values.sorted(by: { $0.number < $1.number }) {
            if client.received.isEmpty, client.compared == client.direct.flushed {
                self.compareStatements(client)
            } else if !self.servers.contains(where: { $0.ledger.isAmbiguous }) {
                self.note(client, "answers are missing: \(self.missing(client))")
            }
            client.wire += Talk.terminate.bytes
            self.move(.max)
        }
        if self.falsehood == nil, let left = self.clients.values.first { self.note(left, "did not get away") }
    }

    func note(_ client: ModelClient, _ text: String) {
        if self.falsehood == nil { self.falsehood = "client \(client.number): \(text)" }
    }

    // MARK: What may happen next

    private enum Move {
        case read(ModelClient)
        case grant(ModelClient, ModelServer)
        case serve(ModelServer)
        case fetch(ModelServer)
    }

    private var moves: [Move] {
        var moves: [Move] = []
        for client in self.clients.values.sorted(by: { $0.number < $1.number }) {
            // Nobody reads from a client that is held or waits.
            if !client.wire.isEmpty, !client.isHeld, !client.isWaiting { moves.append(.read(client)) }
            guard client.isWaiting else { continue }
            for server in self.servers where server.client == nil { moves.append(.grant(client, server)) }
        }
        for server in self.servers {
            if !server.wire.isEmpty { moves.append(.serve(server)) }
            if server.fetched < server.backend.flushed { moves.append(.fetch(server)) }
        }
        return moves
    }

    /// Lets things happen until nothing is left to happen, or `limit` did.
    func move(_ limit: Int) {
        var count = 0
        while count < limit, self.falsehood == nil, let move = self.moves.randomElement(using: &self.random) {
            count += 1
            if count > 100_000 { self.falsehood = "it goes on for ever" }
            switch move {
            case .read(let client):
                client.unread += self.piece(&client.wire)
                self.pump(client)
            case .grant(let client, let server): self.grant(client, server)
            case .serve(let server): server.backend.receive(self.piece(&server.wire))
            case .fetch(let server):
                let most = server.backend.flushed - server.fetched
                let count = self.random.chance(50) ? most : Int.random(in: 1...most, using: &self.random)
                server.unread += server.backend.output[server.fetched..<(server.fetched + count)]
                server.fetched += count
                self.deliver(server)
            }
        }
    }

    private func piece(_ bytes: inout [UInt8]) -> [UInt8] {
        let count = self.random.chance(60) ? bytes.count : Int.random(in: 1...bytes.count, using: &self.random)
        defer { bytes.removeFirst(count) }
        return Array(bytes.prefix(count))
    }
}
