import HBA
import Reactor
import Synchronization

/// The machine's own addresses, remembered for a while. A failure is not remembered: the next question asks again. Any
/// thread.
final class OwnAddresses: Sendable {
    private struct Known {
        let interfaces: [HBAInterface]
        let expires: MonotonicMicroseconds
    }

    /// How long the addresses of the machine are remembered.
    static let lifetime: MonotonicMicroseconds = 10_000_000

    private let known = Mutex<Known?>(nil)
    private let ask: @Sendable () -> HBAFacts.Answer<[HBAInterface]>

    /// - Parameter ask: asks the system; called while a lock is held, so it must not come back here.
    init(asking ask: @escaping @Sendable () -> HBAFacts.Answer<[HBAInterface]>) { self.ask = ask }

    /// `.known` or `.unavailable`.
    func answer(now: MonotonicMicroseconds) -> HBAFacts.Answer<[HBAInterface]> {
        self.known.withLock { known in
            if let known, known.expires > now { return .known(known.interfaces) }
            let answer = self.ask()
            if case .known(let interfaces) = answer {
                known = Known(interfaces: interfaces, expires: now + Self.lifetime)
            } else {
                known = nil
            }
            return answer
        }
    }
}
