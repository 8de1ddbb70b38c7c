import Foundation
import Glibc

/// Reads files that administrators name: regular files only, for a pipe or a device could give bytes for ever or none
/// until somebody writes, and at most one byte more than allowed is taken into memory. Blocks: not for workers.
package enum BoundedFile {
    package enum Problem: Error, Sendable, Equatable {
        case missing
        /// With the reason of the system.
        case unreadable(String)
        case tooLarge
    }

    /// - Parameter limit: bytes that the file may have.
    package static func read(_ path: String, limit: Int) throws(Problem) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.problem(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Self.problem(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .unreadable("it is no regular file") }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count < bytes.count {
            let offset = count
            let received = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress.map { unsafe $0 + offset }, buffer.count - offset)
            }
            if received < 0, errno == EINTR { continue }
            guard received >= 0 else { throw Self.problem(errno) }
            if received == 0 { break }
            count += received
        }
        guard count <= limit else { throw .tooLarge }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    private static func problem(_ code: Int32) -> Problem {
        code == ENOENT ? .missing : .unreadable(unsafe String(cString: strerror(code)))
    }
}
