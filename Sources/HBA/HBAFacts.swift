package struct HBAFacts: Sendable {
    package enum Answer<Value: Sendable>: Sendable { case notAsked; case known(Value); case unavailable(String) }
    package var roles: Answer<Set<String>>
    package var hostName: Answer<String?>
    package var interfaces: [HBAInterface]
    package init(
        roles: Answer<Set<String>> = .notAsked, hostName: Answer<String?> = .notAsked, interfaces: [HBAInterface] = []
    ) {
        self.roles = roles
        self.hostName = hostName
        self.interfaces = interfaces
    }
    package static let none = HBAFacts()
}
package struct HBAInterface: Sendable, Hashable {
    package let address: IPAddress
    package let network: IPNetwork
}
package enum HBANeed: Sendable, Hashable { case roles, hostName }
package enum HBAFinding: Sendable {
    case rule(offset: Int)
    case noMatch
    case needs(HBANeed)
    case undecidable(offset: Int, HBANeed, reason: String)
}
extension HBAPolicy {
    package func find(_ question: HBAQuestion, facts: HBAFacts = .none) -> HBAFinding {
        self.decidingOffset(question).map { .rule(offset: $0) } ?? .noMatch
    }
}
