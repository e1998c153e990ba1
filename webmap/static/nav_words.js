// The words of the menu of pages, and what roles are called.

import { learn } from "./i18n.js";

learn({
  nav: ["菜单（M）", "Menu (M)"],
  key_nav: ["菜单：其他页面", "Menu: other pages"],
  nav_map: ["实时地图", "Live map"],
  nav_roster: ["人员与设备", "People and devices"],
  nav_grids: ["网格", "Grids"],
  nav_seats: ["席位", "Seats"],
  nav_rota: ["排班与考勤", "Rota and attendance"],
  nav_phones: ["手机接入", "Phones"],
  nav_certificate: ["安装证书", "Certificate"],
  nav_storage: ["存储", "Storage"],
  nav_access: ["查看记录", "Access log"],
  nav_accounts: ["账号与权限", "Accounts and rights"],
  nav_profile: ["我的账号", "My account"],
  nav_out: ["退出登录", "Log out"],
  role_collector: ["采集员", "Collector"],
  role_crew: ["车组", "Vehicle crew"],
  role_dispatcher: ["指挥席位", "Dispatcher"],
  role_street: ["街道席位", "Street seat"],
  role_leader: ["负责人", "Leader"],
  role_auditor: ["审计员", "Auditor"],
  role_admin: ["管理员", "Administrator"],
  role_system: ["案件系统", "Case system"],
});
