// The words of the page of the certificate.

import { learn } from "./i18n.js";

learn({
  certificate: ["安装证书", "Certificate"],
  map: ["地图", "Map"],
  to_map: ["回到地图（Esc）", "Back to the map (Esc)"],
  retrying: ["未能读取，稍后重试：{text}", "Could not load; trying again: {text}"],
  cert_install: ["在手机和电脑上安装证书", "Install it on phones and computers"],
  cert_why: [
    "这台服务器用自己的证书加密。每台设备装一次，网页才能使用定位和麦克风，也不再出现警告。扫码，或在要安装的设备上打开：",
    "This server encrypts with a certificate of its own. Each device installs it once: then pages may use location and microphone, and the warnings are gone. Scan the code, or open on the device:",
  ],
  cert_scan: ["用手机扫码", "Scan with the phone"],
  cert_copy: ["复制", "Copy"],
  cert_copied: ["已复制", "Copied"],
  cert_compare: ["核对指纹", "Compare the fingerprint"],
  cert_compare_text: [
    "安装前，手机上显示的 SHA-256 指纹必须与这里的一样；不一样就不要安装。",
    "Before it is installed, the phone must show the same SHA-256 as here. If it differs, do not install it.",
  ],
  cert_state: ["加密状态", "Encryption"],
  cert_none: [
    "没有启用 TLS：传输的内容没有加密，手机网页不能使用定位和麦克风。请在服务器上运行 ./run make-certificate，或在设置的 [tls] 中填写证书。",
    "There is no TLS: what is sent is not encrypted, and pages on phones can use neither location nor microphone. Run ./run make-certificate on the server, or name a certificate under [tls] in the settings.",
  ],
  cert_public: ["使用设置中填写的证书，设备无需安装。", "The certificate that the settings name is in use; devices need to install nothing."],
  cert_private: ["使用本服务器自己签发的证书。", "A certificate that this server's own authority has issued is in use."],
  cert_here_only: [
    "启用 TLS 的端口都只对本机开放，其他设备访问不到。请在设置的 [field] 或 [server] 中填写 bind。",
    "All ports with TLS are open to this machine only. Set bind under [field] or [server] in the settings.",
  ],
  cert_names: ["适用于", "For"],
  cert_ends: ["有效期至", "Good until"],
  cert_name: ["“{name}” 的 SHA-256 指纹", "SHA-256 of “{name}”"],
});
