import AuthProviders
import Foundation
import Glibc
import Reactor

/// The names of the operating system's users. A directory service may stand behind them, so that asking may block: off
/// the workers, bounded. Any thread.
final class SystemUsers: Sendable {
    private static let timeout = Duration.seconds(5)
    private let lane = BlockingLane(name: "system users", threads: 2, queueMax: 256)

    func name(of user: UInt32) async -> SystemUserLookup {
        switch await self.lane.run(within: Self.timeout, { Self.look(user) }) {
        case .success(let answer): answer
        case .failure(.full): .unavailable("too many look-ups of system users wait")
        case .failure(.noThread): .unavailable("the system has no thread left for look-ups of system users")
        case .failure(.timedOut), .failure(.cancelled): .unavailable("the look-up of system user \(user) took too long")
        }
    }

    /// Blocks.
    private static func look(_ user: UInt32) -> SystemUserLookup {
        var entry = unsafe passwd()
        var buffer = [CChar](repeating: 0, count: 16_384)
        var found: UnsafeMutablePointer<passwd>?
        let error = unsafe getpwuid_r(user, &entry, &buffer, buffer.count, &found)
        guard error == 0 else { return .unavailable("the look-up of system user \(user) failed: error \(error)") }
        guard unsafe found != nil, let name = unsafe entry.pw_name else { return .unknown }
        return .name(unsafe String(cString: name))
    }
}
