"""Names of the invented town: streets, grids, people and companies, each in Chinese and in English.

None of them is taken from a real town. Where a city larger than the lists is asked for, names are made by
joining syllables, so that they stay different from each other as long as there are syllables.
"""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """One name in both languages."""

    zh: str
    en: str


TOWN = Name("溪桥市", "Xiqiao")
RIVER = Name("澜溪", "Lanxi River")
CREEK = Name("小柳溪", "Xiaoliu Creek")
RAILWAY = Name("溪港铁路", "Xigang Railway")
STATION = Name("溪桥站", "Xiqiao Station")
RING = Name("环城路", "Huancheng Ring Road")
AVENUE = Name("迎宾大道", "Yingbin Avenue")
BANKS = (Name("滨溪南路", "South Binxi Road"), Name("滨溪北路", "North Binxi Road"))
LAKE = Name("菱角湖", "Lingjiao Lake")

WEST_TO_EAST = (
    Name("石梁路", "Shiliang Road"),
    Name("凤鸣路", "Fengming Road"),
    Name("桥头大街", "Qiaotou Street"),
    Name("学宫路", "Xuegong Road"),
    Name("丹桂路", "Dangui Road"),
    Name("东渡路", "Dongdu Road"),
)
"""The main streets that run north and south, from the west."""

SOUTH_TO_NORTH = (
    Name("南屏路", "Nanping Road"),
    Name("青枫路", "Qingfeng Road"),
    Name("望江路", "Wangjiang Road"),
    Name("鼓楼街", "Gulou Street"),
    Name("站前路", "Zhanqian Road"),
    Name("北仓路", "Beicang Road"),
)
"""The main streets that run west and east, from the south."""

PARKS = (
    Name("菱湖公园", "Linghu Park"),
    Name("鼓楼广场", "Gulou Square"),
    Name("站前广场", "Station Square"),
    Name("体育公园", "Sports Park"),
    Name("丹桂公园", "Dangui Park"),
    Name("竹溪公园", "Zhuxi Park"),
)
HILLS = (Name("北岭森林公园", "Beiling Forest Park"), Name("青枫山", "Qingfeng Hill"))
BRIDGES = (
    Name("石梁桥", "Shiliang Bridge"),
    Name("凤鸣桥", "Fengming Bridge"),
    Name("溪桥", "Xi Bridge"),
    Name("学宫桥", "Xuegong Bridge"),
    Name("丹桂桥", "Dangui Bridge"),
    Name("东渡桥", "Dongdu Bridge"),
)

SUBDISTRICTS = (
    Name("城关街道", "Chengguan Subdistrict"),
    Name("北岭街道", "Beiling Subdistrict"),
    Name("石渡街道", "Shidu Subdistrict"),
    Name("东湾街道", "Dongwan Subdistrict"),
)

GRIDS = (
    Name("北仓", "Beicang"),
    Name("柳堤", "Liudi"),
    Name("站前", "Zhanqian"),
    Name("机务", "Jiwu"),
    Name("梅岭", "Meiling"),
    Name("石梁", "Shiliang"),
    Name("菱湖", "Linghu"),
    Name("鼓楼", "Gulou"),
    Name("文昌", "Wenchang"),
    Name("桂苑", "Guiyuan"),
    Name("西关", "Xiguan"),
    Name("凤鸣", "Fengming"),
    Name("桥头", "Qiaotou"),
    Name("学宫", "Xuegong"),
    Name("东渡", "Dongdu"),
    Name("石渡", "Shidu"),
    Name("竹溪", "Zhuxi"),
    Name("南桥", "Nanqiao"),
    Name("青枫", "Qingfeng"),
    Name("东湾", "Dongwan"),
    Name("茶亭", "Chating"),
    Name("南屏", "Nanping"),
    Name("白鹭", "Bailu"),
    Name("迎宾", "Yingbin"),
    Name("月塘", "Yuetang"),
)
"""Row by row from the north-west, for the demo's five rows of five."""

TEAMS = (
    Name("清禾市容服务公司", "Qinghe City Services"),
    Name("众和巡查服务公司", "Zhonghe Patrol Services"),
    Name("安澜城市服务公司", "Anlan Urban Services"),
)

_FIRST = (
    ("柳", "Liu"),
    ("竹", "Zhu"),
    ("梅", "Mei"),
    ("杏", "Xing"),
    ("桐", "Tong"),
    ("荷", "He"),
    ("枫", "Feng"),
    ("松", "Song"),
    ("榆", "Yu"),
    ("槐", "Huai"),
    ("兰", "Lan"),
    ("棠", "Tang"),
    ("石", "Shi"),
    ("云", "Yun"),
    ("清", "Qing"),
    ("安", "An"),
    ("长", "Chang"),
    ("永", "Yong"),
    ("新", "Xin"),
    ("双", "Shuang"),
)
_SECOND = (
    ("荫", "yin"),
    ("泉", "quan"),
    ("塘", "tang"),
    ("园", "yuan"),
    ("井", "jing"),
    ("坊", "fang"),
    ("畈", "fan"),
    ("亭", "ting"),
    ("坡", "po"),
    ("湾", "wan"),
    ("埠", "bu"),
    ("陇", "long"),
    ("庙", "miao"),
    ("墩", "dun"),
    ("村", "cun"),
    ("兴", "xing"),
    ("宁", "ning"),
    ("和", "he"),
    ("丰", "feng"),
)

_SURNAMES = (
    ("王", "Wang"),
    ("李", "Li"),
    ("张", "Zhang"),
    ("刘", "Liu"),
    ("陈", "Chen"),
    ("杨", "Yang"),
    ("吴", "Wu"),
    ("周", "Zhou"),
    ("徐", "Xu"),
    ("孙", "Sun"),
    ("胡", "Hu"),
    ("朱", "Zhu"),
    ("高", "Gao"),
    ("何", "He"),
    ("郭", "Guo"),
    ("罗", "Luo"),
    ("程", "Cheng"),
    ("汪", "Wang"),
    ("江", "Jiang"),
    ("方", "Fang"),
    ("章", "Zhang"),
    ("叶", "Ye"),
    ("丁", "Ding"),
)
_GIVEN = (
    ("建国", "Jianguo"),
    ("桂英", "Guiying"),
    ("志强", "Zhiqiang"),
    ("秀兰", "Xiulan"),
    ("海燕", "Haiyan"),
    ("文斌", "Wenbin"),
    ("丽娟", "Lijuan"),
    ("卫东", "Weidong"),
    ("晓梅", "Xiaomei"),
    ("国平", "Guoping"),
    ("春花", "Chunhua"),
    ("俊杰", "Junjie"),
    ("玉珍", "Yuzhen"),
    ("小军", "Xiaojun"),
    ("爱华", "Aihua"),
    ("永福", "Yongfu"),
    ("冬梅", "Dongmei"),
    ("长林", "Changlin"),
    ("雪芹", "Xueqin"),
    ("志远", "Zhiyuan"),
    ("美玲", "Meiling"),
    ("德胜", "Desheng"),
    ("巧云", "Qiaoyun"),
    ("大勇", "Dayong"),
    ("静", "Jing"),
    ("磊", "Lei"),
    ("敏", "Min"),
    ("斌", "Bin"),
    ("婷", "Ting"),
)


def joined(index: int) -> Name:
    """The ``index``-th name made of two syllables; neighbours share neither; past the end they repeat with a number."""
    size = len(_FIRST) * len(_SECOND)
    turn, place = divmod(index, size)
    # 20 and 19 have no common divisor, so this walks through every pair once before it repeats.
    first, second = _FIRST[place % len(_FIRST)], _SECOND[place % len(_SECOND)]
    suffix = str(turn + 1) if turn else ""
    return Name(first[0] + second[0] + suffix, first[1] + second[1] + suffix)


def grid_name(index: int, of: int) -> Name:
    """Name of the ``index``-th responsibility grid (row by row from the north-west) in a city of ``of`` grids."""
    base = GRIDS[index] if of <= len(GRIDS) else joined(index)
    return Name(f"{base.zh}网格", f"{base.en} Grid")


def person_name(index: int) -> Name:
    """The ``index``-th person's name; neighbours share neither surname nor given name."""
    size = len(_SURNAMES) * len(_GIVEN)
    turn, place = divmod(index, size)
    surname, given = _SURNAMES[place % len(_SURNAMES)], _GIVEN[place % len(_GIVEN)]
    suffix = str(turn + 1) if turn else ""
    return Name(surname[0] + given[0] + suffix, f"{surname[1]} {given[1]}{suffix}")


def line_name(names: tuple[Name, ...], index: int, of: int, suffix: Name) -> Name:
    """Name of the ``index``-th of ``of`` parallel main streets: from the list if it is long enough, else made up."""
    if of <= len(names):
        return names[index]
    base = joined(index * 7 + (3 if names is WEST_TO_EAST else 5))
    return Name(base.zh + suffix.zh, f"{base.en} {suffix.en}")
