/// Why a log filter text is refused.
package enum LogRulesError: Error, Sendable, Equatable, CustomStringConvertible {
    case empty
    case unknownLevel(String)
    case secondBareLevel(String)
    case repeatedModule(String)
    case tooManyRules(limit: Int)

    package var description: String {
        switch self {
        case .empty:
            "log level is empty"
        case .unknownLevel(let word):
            "unknown log level \"\(word)\", must be one of error, warn, info, debug, trace, off"
        case .secondBareLevel(let word):
            "log filter has a second level without a module: \"\(word)\""
        case .repeatedModule(let module):
            "log filter names module \"\(module)\" twice"
        case .tooManyRules(let limit):
            "log filter has more than \(limit) rules"
        }
    }
}

/// A log filter: one level for all, and levels for modules. Immutable value.
///
/// `warn,pool=debug` logs warnings in general and everything from `debug` up where a logger's label starts with
/// `pool`. Among several matching rules the longest wins, whether it is louder or quieter than the general level.
package struct LogRules: Sendable, Equatable, CustomStringConvertible {
    package let base: LogThreshold
    /// Longest prefix first.
    private let modules: [Module]

    private struct Module: Sendable, Equatable {
        let prefix: String
        let threshold: LogThreshold
    }

    package static let maximumRules = 64

    package init(base: LogThreshold) {
        self.base = base
        self.modules = []
    }

    /// Reads a filter text. Without a bare level, `info` holds.
    package init(parsing text: String) throws(LogRulesError) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
        guard parts.count <= Self.maximumRules else { throw .tooManyRules(limit: Self.maximumRules) }
        var base: LogThreshold?
        var modules: [Module] = []
        for part in parts {
            guard !part.isEmpty else { throw .empty }
            let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(trimmed)
            guard let level = words.last, let threshold = LogThreshold(level) else {
                throw .unknownLevel(words.last ?? part)
            }
            if words.count == 1 {
                guard base == nil else { throw .secondBareLevel(part) }
                base = threshold
            } else {
                guard !words[0].isEmpty else { throw .empty }
                guard !modules.contains(where: { $0.prefix == words[0] }) else { throw .repeatedModule(words[0]) }
                modules.append(Module(prefix: words[0], threshold: threshold))
            }
        }
        self.base = base ?? .info
        self.modules = modules.sorted { ($1.prefix.utf8.count, $0.prefix) < ($0.prefix.utf8.count, $1.prefix) }
    }

    /// What holds for a logger with this label.
    package func threshold(for label: String) -> LogThreshold {
        self.modules.first { label.hasPrefix($0.prefix) }?.threshold ?? self.base
    }

    /// The filter as text that can be parsed again.
    package var description: String {
        ([self.base.description] + self.modules.map { "\($0.prefix)=\($0.threshold)" }).joined(separator: ",")
    }
}

/// Without spaces at both ends.
private func trimmed(_ text: some StringProtocol) -> String {
    String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
}
