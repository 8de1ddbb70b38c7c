/// The part of a rule that most rules fail on, in a form without references: type, encryption and network. A login asks
/// every rule in turn, and this is what a rule costs that speaks of somebody else.
struct HBAGate: Sendable {
    private let kind: HBAConnectionKind
    /// `nil`: every address, or one that is judged elsewhere.
    private let network: IPNetwork?

    init(_ rule: HBARule) {
        self.kind = rule.kind
        if case .network(let network) = rule.address { self.network = network } else { self.network = nil }
    }

    /// False only when the rule cannot match.
    func isOpen(to origin: HBAQuestion.Origin) -> Bool {
        switch origin {
        case .local: self.kind == .local
        case .tcp(let peer, let isTLS): self.kind.matches(isTLS: isTLS) && self.network?.contains(peer) != false
        }
    }
}
