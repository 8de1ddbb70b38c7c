import Foundation
import Glibc
package import HBA

/// The files of a policy on this machine, and the machine's own addresses: what the policy room, which does no I/O,
/// is given.
package enum PolicyFiles {
    /// Reads files and folders of the system. Folders list their files only; links count as what they lead to.
    package static let reader = HBAFileReader(
        read: { path in PolicyFiles.read(path) },
        list: { folder in PolicyFiles.list(folder) }
    )

    /// Reads at most one byte more than a text may have: what is longer is not taken into memory.
    private static func read(_ path: String) -> Result<[UInt8], HBAFileProblem> {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .failure(Self.problem(errno)) }
        defer { close(descriptor) }
        // A pipe or a device could give bytes for ever, or none until somebody writes.
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return .failure(Self.problem(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { return .failure(.unreadable("it is no regular file")) }
        var bytes = [UInt8](repeating: 0, count: HBAPolicy.maximumTextSize + 1)
        var count = 0
        while count < bytes.count {
            let offset = count
            let received = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress.map { unsafe $0 + offset }, buffer.count - offset)
            }
            if received < 0, errno == EINTR { continue }
            guard received >= 0 else { return .failure(Self.problem(errno)) }
            if received == 0 { break }
            count += received
        }
        guard count <= HBAPolicy.maximumTextSize else { return .failure(.tooLarge) }
        bytes.removeLast(bytes.count - count)
        return .success(bytes)
    }

    private static func list(_ directory: String) -> Result<[String], HBAFileProblem> {
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            return .success(names.filter { name in !Self.isDirectory("\(directory)/\(name)") })
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
            return .failure(.missing)
        } catch {
            return .failure(.unreadable("the folder cannot be listed"))
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    private static func problem(_ code: Int32) -> HBAFileProblem {
        code == ENOENT ? .missing : .unreadable(unsafe String(cString: strerror(code)))
    }

    // MARK: Addresses

    /// The addresses of all interfaces with their networks, as `samehost` and `samenet` mean them; empty when the system
    /// does not tell. An interface that is down counts as well, as in PostgreSQL.
    package static func interfaces() -> [HBAInterface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else { return [] }
        defer { unsafe freeifaddrs(first) }
        var result: [HBAInterface] = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe Self.address(entry.pointee.ifa_addr),
                let mask = unsafe Self.address(entry.pointee.ifa_netmask),
                let interface = HBAInterface(address: address, mask: mask)
            {
                result.append(interface)
            }
            unsafe next = entry.pointee.ifa_next
        }
        return result
    }

    private static func address(_ pointer: UnsafeMutablePointer<sockaddr>?) -> IPAddress? {
        guard let pointer = unsafe pointer else { return nil }
        switch Int32(unsafe pointer.pointee.sa_family) {
        case AF_INET:
            return unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                unsafe withUnsafeBytes(of: address.pointee.sin_addr) { unsafe IPAddress(bytes: Array($0)) }
            }
        case AF_INET6:
            return unsafe pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                unsafe withUnsafeBytes(of: address.pointee.sin6_addr) { unsafe IPAddress(bytes: Array($0)) }
            }
        default:
            return nil
        }
    }
}
