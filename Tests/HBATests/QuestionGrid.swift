import HBA
import Testing

/// A sample of the questions that can be asked: every combination of some origins, databases and users.
enum QuestionGrid {
    private static let origins = [
        "unix", "127.0.0.1", "10.0.0.1", "10.1.2.3", "10.20.0.9 tls", "172.16.0.1", "::1", "2001:db8::5 tls",
    ]
    private static let databases = ["all", "alice", "app", "my db", "postgres", "replication"]
    private static let users = ["alice", "all", "bob", "postgres", "report job"]

    static func all() throws -> [HBAQuestion] {
        var questions: [HBAQuestion] = []
        for text in Self.origins {
            let origin = try #require(clientOrigin(text))
            for database in Self.databases {
                for user in Self.users {
                    questions.append(HBAQuestion(origin: origin, database: database, user: user))
                }
            }
            for user in Self.users {
                questions.append(HBAQuestion(origin: origin, database: "", user: user, isReplication: true))
            }
        }
        return questions
    }

    /// How much the policy asks of each question, from 0 (nothing: method `trust`) to 3 (not let in at all).
    static func demands(of policy: HBAPolicy, _ questions: [HBAQuestion]) -> [Int] {
        questions.map { question in
            switch policy.decide(question).rule?.method {
            case "trust": 0
            case "password", "md5": 1
            case "scram-sha-256": 2
            default: 3
            }
        }
    }
}
