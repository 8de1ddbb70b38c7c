import AuthProviders
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

    private static func read(_ path: String) -> Result<[UInt8], HBAFileProblem> {
        do throws(BoundedFile.Problem) {
            return .success(try BoundedFile.read(path, limit: HBAPolicy.maximumTextSize))
        } catch {
            switch error {
            case .missing: return .failure(.missing)
            case .unreadable(let reason): return .failure(.unreadable(reason))
            case .tooLarge: return .failure(.tooLarge)
            }
        }
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

    // MARK: Addresses

    /// The addresses of all interfaces with their networks, as `samehost` and `samenet` mean them; unavailable when the
    /// system does not tell. An interface that is down counts as well, as in PostgreSQL.
    package static func interfaces() -> HBAFacts.Answer<[HBAInterface]> {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else {
            return .unavailable("the system does not tell the addresses of this machine (errno \(errno))")
        }
        defer { unsafe freeifaddrs(first) }
        var result: [HBAInterface] = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe Self.address(entry.pointee.ifa_addr) {
                let mask = unsafe Self.address(entry.pointee.ifa_netmask)
                if let interface = HBAInterface(address: address, mask: mask) { result.append(interface) }
            }
            unsafe next = entry.pointee.ifa_next
        }
        return .known(result)
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
