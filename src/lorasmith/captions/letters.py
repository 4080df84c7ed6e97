"""The letters that captions of a language mostly consist of: what a wrong encoding makes of a text has few of them.

Chinese, Japanese and Korean texts use some hundred of their thousands of characters for most of what they say; the lists have the
frequent ones of plain prose and those of what captions are about: people, clothes, colours, animals, places.
"""

from __future__ import annotations

KANA = frozenset(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FD))))

KANJI = frozenset(
    "一二三四五六七八九十百千万人少女男子性年幼大小中高長短上下左右前後内外赤青黄緑白黒茶色紫灰金銀桃橙紺水髪目眼顔口耳鼻手足指腕肩胸腹腰脚膝首頭"
    "背体肌猫犬鳥魚馬兎狐狼熊虎竜龍虫花桜梅松竹葉草木森林山川海空雲雨雪風月日星太陽光影夜朝昼夕春夏秋冬家部屋室窓床椅机壁扉門道路街町都市京東西南"
    "北国村駅車電自転飛行機船橋店学校教制服着物和洋帽靴衣装袖裾鎧剣刀槍弓銃盾笑泣怒驚悲喜恋愛心夢立座寝走歩跳持見向振食飲読書歌踊弾景側正面横全身"
    "半単独複数絵画像写真線描彩油古新若老美可妖精魔法天使悪鬼神巫侍忍者騎士兵姫王話時計本傘鞄鏡飾紐帯布火炎氷雷土石岩砂肉米酒菓果料理音楽世界会社今"
    "語文字名生死事何出来気間分明暗多近遠同方場所入開閉思言作用動回彼私的等最約以対発表現実際合関係要点取定度次力品目立地図種類通変化初元主無不"
    "伝統祭浴衣神社寺城庭公園噴塔畑原野波浜島港湖池滝丘谷崖洞窟"
)
"""Japanese, in its own simplified forms."""

HANZI = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当"
    "没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物"
    "手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认"
    "条平系气题活别更打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直命山金指许统区保至形社便空决治马科司五眼书非则听白却界达光放"
    "强即像难且权思王象完设式色路记南品住告类求程北边死张该交取望觉领共确传师观清切院让识候带导争运笔红蓝绿黄黑紫粉灰棕橙银睛脸嘴唇耳朵腿脚胸肩裙裤"
    "衣服帽鞋袜戴穿站坐躺跑跳笑哭猫狗鸟鱼兔狐狼熊虎龙花草树叶森林河云雨雪风星夜晨春夏秋冬城街房屋窗床椅桌墙桥车船刀剑枪弓盾甲图画照片背景孩男微短"
    "卷睡包围巾耳环链项镜辫双马尾单旗袍樱竹梅湖岛塔宫殿庙古装仙魔法战士骑巫公主动漫风格素描水彩油铅笔近远侧仰俯视角拿握抱骨蝴蝶翅膀烟火灯光影阳台"
    "園這個們來為國說時會對過發後裡裏現當沒動還進樣開從實軍無與長機關點業將兩間問應戰頭體見麼產話內給門東聲員論處義幾認條氣題變總電數報結務場計書"
    "則聽達強難權設記類邊張該覺領確傳師觀讓識帶導爭運筆紅藍綠黃銀臉褲鞋襪貓鳥魚龍樹葉雲風橋車劍槍圖畫麗髮髪隻戴著單雙馬辮鍊項鏡圍環燈陽臺櫻島塔宮"
    "殿廟裝騎繪蠟鉛側遠貝殼繡學習書課桌經過種屬於號輸塗據請編寫鍵標螢幕刪除檔"
)
"""Chinese, simplified and traditional."""

HANGUL = frozenset(
    "이다는을의에가하고지도로기사리은대어한자서를시그수나아인일것해들게스정보있부라만장면전상거주제구조여마오공으미세안우원러위생모국소동선비치바드"
    "신관연계성유방화문재발강개실운회물용적학교과중경간야외무체입점등년월분심업영행당식역향남녀북단달말명민반법별본빛빨란파노초록검흰색눈옷머긴짧카락"
    "고양강아지개새토끼여우늑호랑용꽃벚나뭇잎숲산바다하늘구름비눈별달해밤낮아침저녁봄여름가을겨집방창침대의책상벽문길거리도시성다차배칼검총활방패갑"
    "옷치마셔츠블라우코트모자신발양말안경귀걸목도리교복한드레수영갈금은보분홍회붉푸큰작앉서눕걷뛰웃울얼굴입술코손발팔릴울음표미들진배경그림사진림자"
    "터없않했었습니까요네죠께든른던후처럼더또매우많꾸누를때파일"
)
"""Korean."""

CYRILLIC = frozenset("оеаинтсрвлкмдпуяії")
GREEK = frozenset("αοιετσςνηυρπκμλωόάέήίύώ")
HEBREW = frozenset("יוהלאמרתבשנעדםןחפק")
ARABIC = frozenset("اليمنروتبعدهسفة")
THAI = frozenset("านรอกเงมยลวดทส่้ีิั")

AT_THE_END = frozenset("ςךםןףץ")
"""Forms of Greek and Hebrew letters that are written at the end of a word alone."""

WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüœß")
CZECH = frozenset("áčďéěíňóřšťúůýžäľô")
POLISH = frozenset("ąćęłńóśźż")
HUNGARIAN = frozenset("áéíóöőúüű")
ROMANIAN = frozenset("ăâîșțşţ")
CROATIAN = frozenset("čćđšž")
TURKISH = frozenset("çğıİöşüâîû")
CENTRAL = (CZECH, POLISH, HUNGARIAN, ROMANIAN, CROATIAN)
