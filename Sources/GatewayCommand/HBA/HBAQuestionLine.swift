import Foundation
import HBA
import PGWire

/// A question as the command line or a line of JSON puts it.
struct HBAQuestionLine {
    /// Why it is no question.
    struct Problem: Error {
        let reason: String

        /// `{"error": reason}`.
        var line: String {
            let data = try? JSONEncoder().encode(["error": self.reason])
            return data.map { String(decoding: $0, as: UTF8.self) } ?? "{\"error\":\"\"}"
        }
    }

    var database: String?
    var user: String?
    var address: String?
    var isTLS = false
    var isUnix = false
    var isReplication = false
    /// `nil`: not known.
    var roles: [String]?
    /// `nil`: not known; `.some(nil)`: there is none.
    var hostName: String??

    private(set) var question = HBAQuestion(origin: .local, database: "", user: "")
    private(set) var facts = HBAFacts()

    init() {}

    /// - Throws: text that is no object of the known keys.
    init(json line: String) throws(Problem) {
        do {
            let keys = try JSONDecoder().decode(Keys.self, from: Data(line.utf8))
            self = keys.question
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(reason: "not a JSON object with the keys \(Keys.known.joined(separator: ", "))")
        }
    }

    /// Makes the question and the facts out of the words.
    mutating func resolve(interfaces: HBAFacts.Answer<[HBAInterface]>) throws(Problem) {
        guard let user = self.user else { throw Problem(reason: "user is missing") }
        guard let database = self.database ?? (self.isReplication ? "" : nil) else {
            throw Problem(reason: "database is missing")
        }
        let origin: HBAQuestion.Origin
        switch (self.address, self.isUnix) {
        case (nil, true):
            guard !self.isTLS else { throw Problem(reason: "there is no TLS on a unix socket") }
            origin = .local
        case (let text?, false):
            guard let address = IPAddress(text) else { throw Problem(reason: "address is not an IP address") }
            origin = .tcp(address, isTLS: self.isTLS)
        case (nil, false), (_?, true): throw Problem(reason: "either address or unix is needed")
        }
        self.question = HBAQuestion(
            origin: origin,
            database: database,
            user: user,
            isReplication: self.isReplication
        )
        self.facts = HBAFacts(
            roles: self.roles.map { .known(Set($0.map { ExactName($0) })) } ?? .notAsked,
            hostName: self.hostName.map { .known($0) } ?? .notAsked,
            interfaces: interfaces
        )
    }

    /// The keys of a line; others are refused, because a misspelt one would ask something else.
    private struct Keys: Decodable {
        static let known = ["database", "user", "address", "tls", "unix", "replication", "roles", "host_name"]

        struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        var question = HBAQuestionLine()

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            if let unknown = container.allKeys.first(where: { !Self.known.contains($0.stringValue) }) {
                throw Problem(reason: "unknown key \(unknown.stringValue)")
            }
            func value<Value: Decodable>(_ name: String, _: Value.Type) throws -> Value? {
                try container.decodeIfPresent(Value.self, forKey: Key(stringValue: name))
            }
            self.question.database = try value("database", String.self)
            self.question.user = try value("user", String.self)
            self.question.address = try value("address", String.self)
            self.question.isTLS = try value("tls", Bool.self) ?? false
            self.question.isUnix = try value("unix", Bool.self) ?? false
            self.question.isReplication = try value("replication", Bool.self) ?? false
            self.question.roles = try value("roles", [String].self)
            if container.contains(Key(stringValue: "host_name")) {
                self.question.hostName = .some(try value("host_name", String.self))
            }
        }
    }
}
