/// How often something failed for one reason.
package struct ReasonCount: Sendable, Equatable {
    package let reason: String
    package let count: Int

    package init(reason: String, count: Int) {
        self.reason = reason
        self.count = count
    }
}

extension [ReasonCount] {
    var total: Int { self.reduce(0) { $0 + $1.count } }

    /// `reason=n`, separated by commas.
    var text: String { self.map { "\($0.reason)=\($0.count)" }.joined(separator: ", ") }
}
