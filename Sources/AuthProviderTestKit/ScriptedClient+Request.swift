extension ScriptedClient {
    /// What a provider asked for.
    public enum Request: Equatable, Sendable {
        case cleartext
        case md5(saltLength: Int)
        case sasl([String])
        case challenge([UInt8])
        case final([UInt8])

        /// All that an observer who does not know the user's salt can tell: kinds, lengths, and where known the text.
        /// Refusals that have to look alike have the same shapes.
        public var shape: String {
            switch self {
            case .cleartext: "cleartext"
            case .md5(let saltLength): "md5 \(saltLength)"
            case .sasl(let mechanisms): "sasl \(mechanisms)"
            case .challenge(let bytes): "challenge \(bytes.count) \(Self.withoutSalt(bytes))"
            case .final(let bytes): "final \(bytes.count)"
            }
        }

        private static func withoutSalt(_ challenge: [UInt8]) -> [String] {
            let attributes = challenge.split(separator: UInt8(ascii: ","))
            return attributes.map { attribute in String(decoding: attribute, as: UTF8.self) }
                .filter { attribute in !attribute.hasPrefix("s=") }
        }
    }

    /// One question that a client expects, and what it answers.
    public struct Turn: Sendable {
        enum Kind: String, Sendable {
            case cleartext = "a cleartext password"
            case md5 = "an md5 password"
            case sasl = "SASL"
            case challenge = "an answer to a SASL challenge"
        }

        enum Answer: Sendable {
            case data([UInt8]?)
            case leaves
            case saysNothing
        }

        /// The questions of `ClientDialogue` that have an answer.
        public enum Question: Sendable {
            case cleartext
            case md5
            case sasl
            case challenge
        }

        let kind: Kind
        var mechanism = ""
        let answer: Answer

        /// Asked for a clear password: sends this.
        public static func cleartext(_ password: String) -> Turn {
            Turn(kind: .cleartext, answer: .data(Array(password.utf8)))
        }

        /// The same with bytes that need not be text.
        public static func cleartext(bytes: [UInt8]) -> Turn { Turn(kind: .cleartext, answer: .data(bytes)) }

        /// Asked for an md5 password: sends these bytes.
        public static func md5(bytes: [UInt8]) -> Turn { Turn(kind: .md5, answer: .data(bytes)) }

        /// Asked for SASL: chooses this mechanism, whether it was offered or not.
        ///
        /// - Parameter data: the first data; nil sends none.
        public static func sasl(mechanism: String, data: [UInt8]?) -> Turn {
            Turn(kind: .sasl, mechanism: mechanism, answer: .data(data))
        }

        /// Challenged: answers with these bytes.
        public static func challenge(bytes: [UInt8]) -> Turn { Turn(kind: .challenge, answer: .data(bytes)) }

        /// Leaves instead of an answer.
        public static func leaves(at question: Question) -> Turn {
            Turn(kind: Kind(question), answer: .leaves)
        }

        /// Lets the login deadline pass instead of an answer.
        public static func saysNothing(at question: Question) -> Turn {
            Turn(kind: Kind(question), answer: .saysNothing)
        }
    }
}

extension ScriptedClient.Turn.Kind {
    init(_ question: ScriptedClient.Turn.Question) {
        switch question {
        case .cleartext: self = .cleartext
        case .md5: self = .md5
        case .sasl: self = .sasl
        case .challenge: self = .challenge
        }
    }
}
