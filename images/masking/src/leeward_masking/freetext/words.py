"""Words about persons: cues before names, and capitalised words that are none."""

from typing import Final

TITLES: Final = frozenset(
    "mr mrs ms miss mx dr prof professor doctor sir dame lady lord rev reverend fr sr nurse sister"
    " judge officer captain sgt capt herr frau monsieur madame mme mlle señor señora sra don doña"
    " signor signora mevrouw dhr pani pan".split()
)
CUES: Final = frozenset(
    "patient name pt client resident attending signed wife husband son daughter mother father"
    " brother sister partner carer caregiver contact spouse friend uncle aunt niece nephew surgeon"
    " physician consultant gp therapist midwife counsellor psychologist neighbour neighbor guardian"
    " author attn cc dear consultants re dictated registrar pharmacist grandson granddaughter"
    " grandmother grandfather cousin fiancé fiancée boyfriend girlfriend colleague named called"
    " paramedic".split()
)
BEFORE_NAME: Final = (
    r"(?i)(?:^|[^\p{L}])(?:name(?:d| is)?|called|patient|pt|client|resident|wife|husband|sons?"
    r"|daughters?"
    r"|mother|father|mum|mom|dad|brothers?|sisters?|partner|carer|caregiver|nurse|signed(?:"
    r" by)?|cc|attn|re"
    r"|contact|spouse|friend|uncle|aunt|niece|nephew|dr|mr|mrs|ms|prof|surgeon|physician|consultant|gp"
    r"|therapist|midwife|counsellor|neighbou?r|dear|dictated by|seen by|reviewed by|by|guardian"
    r"|son-in-law|mother-in-law|cousin|colleague|registrar|grandson|granddaughter|fianc[eé]e?|boyfriend"
    r"|girlfriend|paramedic|pharmacist|spoke (?:to|with)|accompanied by|lives with)[:,]? ?$"
)
"""What stands before a name in running text; matched on the last characters before it."""
STOP: Final = frozenset(
    "a an the this that these those he she it they we you i his her hers their our your my its who"
    " what when where why how if as at by for from in into of off on onto or and but nor so to up"
    " with without no not yes ok all any both each few more most other some such only own same than"
    " too very can will just should now then once here there again further also after before during"
    " while until about against between through above below over under out was were is are be been"
    " being have has had do does did would could may might must shall let please thank thanks"
    " january february march april may june july august september october november december jan feb"
    " mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday"
    " sunday mon tue tues wed thu thurs fri sat sun today tomorrow yesterday"
    " patient patients hospital clinic ward unit department emergency surgery medicine medical"
    " cardiology neurology oncology radiology general community health care centre center office"
    " street road avenue lane drive court place square boulevard way close crescent terrace park"
    " north south east west new old great st saint royal university college school institute"
    " trust foundation council city county state town village church bank company ltd inc llc gmbh"
    " sex age gender blood pressure heart rate chest pain history diagnosis plan assessment"
    " review reviewed"
    " examination seen admitted discharged referred follow followup appointment date time note"
    " notes letter report result results test tests lab scan mri ct xray ecg ekg eeg echo bp hr"
    " temp spo2 bmi copd dm htn mi cva uti tia gp a&e er ed icu itu hdu nhs mrn dob ssn id no tel"
    " phone mobile fax email mail address postcode zip card iban ip url contact insurance policy"
    " account number ref reference dear regards sincerely yours signed kind best hello hi"
    " english french german spanish italian dutch polish swedish chinese american british irish"
    " scottish welsh european african asian indian london paris berlin madrid rome amsterdam"
    " england scotland wales ireland france germany spain italy poland sweden china india america"
    " usa uk eu beijing shanghai tokyo york california texas florida boston chicago manchester"
    " leeds bristol oxford cambridge glasgow edinburgh dublin sydney melbourne toronto"
    " covid influenza diabetes hypertension asthma cancer stroke sepsis pneumonia anaemia anemia"
    " aspirin paracetamol ibuprofen metformin insulin warfarin amoxicillin atorvastatin ramipril"
    " started stopped continue increase decrease increased decreased reports reported denies"
    " complains presents presented lives works called rang spoke told asked says said states"
    " stated wife husband son daughter mother father brother partner family carer"
    " bloods observations allergies allergic nil normal abnormal left right upper lower acute"
    " chronic mild moderate severe type grade stage class level score glasgow coma scale apgar"
    " barthel foley hartmann doppler holter babinski romberg murphy mcburney gram petri"
    " parkinson alzheimer crohn hodgkin addison cushing graves raynaud bell down huntington"
    " hashimoto sjogren tourette asperger wilson's marfan turner meniere kaposi barrett"
    " christmas easter god bible internet google microsoft windows apple amazon facebook zoom"
    " whatsapp skype twitter android iphone visa mastercard amex discover paypal"
    " website web login server user password order invoice total payment paid delivery meeting"
    " please kindly confirmed arranged discussed booked pending awaiting urgent routine".split()
)
"""Capitalised words that are no part of a name, lower case; some are surnames, too."""
COMMON: Final = frozenset(
    "will may mark grace hope faith joy rose lily daisy violet ivy iris olive pearl ruby amber"
    " crystal dawn eve summer autumn june april august art bill bob chase chance cliff dale dean"
    " drew earl frank gene grant guy hunter jack jay jean king lance lee mason max melody miles"
    " mercy nick norm pat penny pierce ray reed rich rob rusty sandy sky sterling sunny ty wade"
    " ward young white brown black green gray grey long short little small strong bright sharp"
    " price rice wood woods stone hill field fields ford lane banks brook brooks bush forest marsh"
    " waters rivers lake park parks church day weeks summers winter winters snow frost rain storm"
    " cook baker butler carter cooper fisher gardner hall house page porter potter shepherd taylor"
    " tyler walker weaver webb fox wolf bird crane drake hawk finch swan lamb bull buck moody love"
    " noble wise best good goodman savage stark power powers fair case major minor temple bishop"
    " pope knight marshall chambers close cross english french german holland ireland paris london"
    " israel jordan chelsea florence austin dallas houston phoenix jackson lincoln washington"
    " madison brooklyn savannah georgia virginia carolina dakota india china asia africa devon"
    " chad charity christian constant prudence patience stormy candy cherry ginger honey star"
    " angel destiny harmony heaven genesis journey justice serenity trinity true blessing precious"
    " lot station milan lima sofia vienna verona victoria alexandria sydney orlando"
    " said ali an do my so no in de la le van von der den da di el al".split()
)
"""Names that are words or places as well: alone they say nothing."""
HAN_SURNAMES: Final = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方"
    "俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于傅皮卞齐康伍余元卜顾孟平黄穆萧尹姚邵湛汪祁毛禹狄米贝臧计伏成"
    "戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫房裘缪"
    "干解应宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊惠甄曲封芮羿储靳汲邴糜松井段富巫乌焦巴弓牧隗山谷车侯"
    "宓蓬郗班仰秋仲伊宫宁仇栾暴甘钭厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰鄂索咸赖卓蔺屠蒙池乔阴胥苍闻莘党翟"
    "谭贡劳逄姬申扶堵冉宰郦雍郤璩桑桂濮牛寿边扈燕冀郏浦尚农温庄晏柴瞿阎慕连茹习宦艾鱼容古易慎戈廖庾暨衡步耿满弘匡国文"
    "寇广禄阙欧沃利蔚越夔隆师巩聂晁勾敖融冷訾辛阚简饶曾沙鞠丰巢关蒯荆红游竺权盖益桓佟麦肖闫付代涂岳帅覃"
)
"""Surnames of one character: the Hundred Family Surnames (Song dynasty, public domain) without
those that are mostly other words, and common ones that it lacks."""
HAN_DOUBLE_SURNAMES: Final = (
    "欧阳 司马 上官 夏侯 诸葛 东方 赫连 皇甫 尉迟 公羊 澹台 公冶 宗政 濮阳 淳于 单于 申屠 公孙"
    " 仲孙 轩辕 令狐 钟离"
    " 宇文 长孙 慕容 鲜于 闾丘 司徒 司空 端木 南宫 西门 独孤 百里 呼延 拓跋"
).split()
HAN_CUES: Final = (
    r"(?:患者|病人|姓名|家属|家长|联系人|监护人|产妇|患儿|丈夫|妻子|父亲|母亲|儿子|女儿|哥哥|姐姐|弟弟|妹妹|之[妻夫子女父母兄弟姐妹]|爱人|老伴|配偶"
    r"|收件人|寄件人|护士长|主治医师|主管医师|主任医师|医师|医生|护士|主刀|术者|助手|麻醉师|记录人|签名|签字|名叫|叫做|客户|同事|朋友|邻居|陪同人"
    r"|签名人)(?:[:：为是叫名系]|\s)*"
)
HAN_TITLES: Final = (
    r"(?:先生|女士|小姐|太太|同志|老师|医生|大夫|医师|主任|护士长|护士|教授|院长|博士|阿姨"
    r"|师傅|经理|律师|警官|副主任)"
)
HAN_NOT_FIRST: Final = (
    "于因在是与和及男女有无自已为等说称诉来入院前后年日时分病检查治疗要需会被把从到由向对不未没也都还又再就只但而或者其此"
    "该这那您你我他她它们医护士师授，行做用了过着吗呢吧啊上下左右内外每次天起发热痛"
)
"""Characters that do not stand behind a surname in a name."""
HAN_NOT_LAST: Final = (
    HAN_NOT_FIRST
    + "表示住电今昨主岁反应诊断可能将以先太小姐任长同意签字服药术给予咳嗽头随访复拟转联系现既往"
    "步家属身份证号"
    "性别龄手机话"
)
"""Characters that do not continue a name after a cue."""
