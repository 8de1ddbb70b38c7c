import AuthProviders
import Reactor
import Synchronization

/// What is known about the name of a client's address.
enum HostNameAnswer: Sendable, Equatable {
    /// The name that the address has, if it has one that leads back to it.
    case known(String?)
    /// The look-up failed or took too long; the text is for the log.
    case unavailable(String)
}

/// The host names of clients: found by a reverse look-up, and believed only if a forward look-up leads back to the
/// address, as PostgreSQL does it. Off the workers, bounded, remembered for a short time. Any thread.
final class HostNames: Sendable {
    private struct Entry {
        let answer: HostNameAnswer
        let expires: MonotonicMicroseconds
    }

    private static let entriesMax = 4096
    /// How long an answer is used; shorter for one that only says that there is none now.
    private static let lifetime: MonotonicMicroseconds = 60_000_000
    private static let failureLifetime: MonotonicMicroseconds = 5_000_000
    /// How long a login waits for an answer.
    private static let timeout = Duration.seconds(10)

    private let lane = BlockingLane(name: "host names", threads: 4, queueMax: 1024)
    private let entries = Mutex<[[UInt8]: Entry]>([:])
    private let flights = SingleFlight<[UInt8], HostNameAnswer>()

    func nameAtHand(of address: SocketAddress) -> HostNameAnswer? {
        let now = MonotonicClock.now()
        return self.entries.withLock { entries in
            guard let entry = entries[address.addressBytes], entry.expires > now else { return nil }
            return entry.answer
        }
    }

    func name(of address: SocketAddress, on executor: any TaskExecutor) async -> HostNameAnswer {
        if let known = self.nameAtHand(of: address) { return known }
        return await self.flights.run(address.addressBytes, on: executor) {
            let answer = await self.look(address)
            self.remember(answer, of: address)
            return answer
        }
    }

    private func look(_ address: SocketAddress) async -> HostNameAnswer {
        switch await self.lane.run(within: Self.timeout, { Self.confirmedName(of: address) }) {
        case .success(let answer): answer
        case .failure(.full): .unavailable("too many host name look-ups wait")
        case .failure(.noThread): .unavailable("the system has no thread left for host name look-ups")
        case .failure(.timedOut), .failure(.cancelled): .unavailable("the host name look-up took too long")
        }
    }

    private func remember(_ answer: HostNameAnswer, of address: SocketAddress) {
        let lifetime: MonotonicMicroseconds
        if case .known = answer { lifetime = Self.lifetime } else { lifetime = Self.failureLifetime }
        let entry = Entry(answer: answer, expires: MonotonicClock.now() + lifetime)
        self.entries.withLock { entries in
            if entries.count >= Self.entriesMax { entries.removeAll(keepingCapacity: true) }
            entries[address.addressBytes] = entry
        }
    }

    /// Blocks.
    private static func confirmedName(of address: SocketAddress) -> HostNameAnswer {
        switch address.hostName() {
        case .none: return .known(nil)
        case .unavailable: return .unavailable("the reverse look-up of \(address) failed")
        case .name(let name):
            switch SocketAddress.lookUp(host: name, port: address.port) {
            case .unavailable: return .unavailable("the look-up of \(name) failed")
            case .found(let addresses):
                let isConfirmed = addresses.contains { $0.addressBytes == address.addressBytes }
                return .known(isConfirmed ? name : nil)
            }
        }
    }
}
