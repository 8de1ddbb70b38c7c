import Foundation

/// Finds TCP ports on 127.0.0.1 that nobody listens on. Another process may still be faster: the caller's
/// own bind decides in the end.
enum FreePort {
    /// The wanted port when it is free, else an error; any free port when none is wanted.
    static func find(wanted: Int?) throws(DemoError) -> Int {
        if let wanted {
            guard let port = self.bind(wanted) else { throw .noPort(wanted) }
            return port
        }
        guard let port = self.bind(0) else { throw .noPort(nil) }
        return port
    }

    /// The first port of the list that is free, else any free port.
    static func find(preferring ports: [Int]) throws(DemoError) -> Int {
        for port in ports {
            if let free = self.bind(port) { return free }
        }
        return try self.find(wanted: nil)
    }

    /// Binds and closes again. Returns the port that the kernel gave, or nil.
    private static func bind(_ port: Int) -> Int? {
        guard let number = UInt16(exactly: port) else { return nil }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var reuse: Int32 = 1
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))

        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard unsafe Foundation.bind(descriptor, generic, length) == 0 else { return Int32(-1) }
                return unsafe getsockname(descriptor, generic, &length)
            }
        }
        return status == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }
}
