import Synchronization

/// What one label may log right now; asked before every record, so it is one relaxed atomic load.
///
/// Written by `LogFilter` under its lock, read by any thread.
final class LogChannel: Sendable {
    private let level: Atomic<UInt8>

    init(_ threshold: LogThreshold) {
        self.level = Atomic(threshold.rawValue)
    }

    var threshold: LogThreshold {
        LogThreshold(rawValue: self.level.load(ordering: .relaxed)) ?? .info
    }

    func set(_ threshold: LogThreshold) {
        self.level.store(threshold.rawValue, ordering: .relaxed)
    }
}

/// The process-wide log filter, changeable while the process runs. Safe on any thread; changes are made under one lock.
package final class LogFilter: Sendable {
    /// The rules of the start, to which `default` returns.
    package let initialRules: LogRules
    private let state: Mutex<State>
    /// Follows the general level for labels beyond the limit.
    private let overflow: LogChannel

    /// Labels with a channel of their own.
    package static let maximumLabels = 256

    private struct State {
        var rules: LogRules
        var channels: [String: LogChannel] = [:]
    }

    package init(_ rules: LogRules) {
        self.initialRules = rules
        self.overflow = LogChannel(rules.base)
        self.state = Mutex(State(rules: rules))
    }

    package var rules: LogRules {
        self.state.withLock { $0.rules }
    }

    /// Applies a filter text as `--log-level` takes it: rules, or the word `default`. A wrong text changes nothing.
    package func apply(_ text: String) throws(LogRulesError) {
        if text.lowercased() == "default" {
            self.apply(self.initialRules)
        } else {
            self.apply(try LogRules(parsing: text))
        }
    }

    /// Takes effect for every logger at its next record.
    package func apply(_ rules: LogRules) {
        self.state.withLock { state in
            state.rules = rules
            for (label, channel) in state.channels {
                channel.set(rules.threshold(for: label))
            }
            self.overflow.set(rules.base)
        }
    }

    func channel(for label: String) -> LogChannel {
        self.state.withLock { state in
            if let channel = state.channels[label] {
                return channel
            }
            guard state.channels.count < Self.maximumLabels else { return self.overflow }
            let channel = LogChannel(state.rules.threshold(for: label))
            state.channels[label] = channel
            return channel
        }
    }
}
