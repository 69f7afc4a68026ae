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
    " paramedic thanks regards cheers sincerely wishes".split()
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


def _any(words: str) -> str:
    return "|".join(words.split())


_TOLD: Final = _any(
    "asks? asked told tells? telling informs informed advises advised? reminds? reminded "
    "assures assured reassured met meets saw thanks? thanked phoned rang calls emailed texted "
    "visited visits contacted interviewed assessed examined under"
)
_WITH: Final = _any(
    "met meet meets meeting talk talked talking chat chatted speak speaking spoke call agreed "
    "discussed interview here together appointment visit handover consultation"
)
_TO: Final = _any(
    "addressed copied forwarded assigned handed refer referred passed belongs letter message "
    "mail email note invoice sent send write wrote reply speak spoke talk talked given "
    "explained due known married engaged"
)
_FROM: Final = _any(
    "letter e?-?mail message note call text handover statement report payment visit complaint "
    "referral"
)
_BY: Final = _any(
    "referred written signed approved reviewed seen brought sent completed witnessed "
    "countersigned prepared taken treated followed supplied raised confirmed"
)
_PERSONS: Final = _any(
    "old little young aunt uncle grandma grandpa granny nana nan sibling twins? baby child boy "
    "girl lady gentleman man woman tenant customer claimant employee member passenger applicant "
    "student pupil parent manager driver lawyer solicitor interpreter translator landlord owner "
    "witness victim suspect caller visitor flatmate roommate stepson stepdaughter stepfather "
    "stepmother in-law godmother godson"
)
BEFORE_UNKNOWN: Final = (
    rf"(?i)(?:^|[^\p{{L}}])(?:{_TOLD}|(?:{_WITH}) with|(?:{_TO}) to|(?:{_FROM}) (?:from|by|of|for)"
    rf"|(?:{_BY}) by|{_PERSONS}|according to|on behalf of|in care of|the late),? ?$"
)
"""What stands before a name, and before other words too: those of the dictionary are left out."""
_DOES: Final = _any(
    "said says asks asked felt feels laughed smiled cried rang called phoned attended reports "
    "reported denies denied refused refuses wants wanted thinks thought agrees agreed lives "
    "lived told tells explained complains complained understood understands signed arrived "
    "sleeps slept walks walked drinks drank smokes prefers believes knows likes came went moved "
    "took takes spoke wrote writes replied works worked plays visited visits joined retired "
    "lost found fell mentioned mentions noticed wishes wished hopes appeared seemed looked "
    "looks sat stood died ate"
)
AFTER_NAME: Final = (
    rf"^(?:(?:'s)? (?:{_DOES}|has (?:improved|moved|agreed|asked|been)"
    r"|was (?:seen|born|brought|told|reassured|admitted|discharged)"
    r"|is (?:coming|worried|an? |the |\d)|who |whose )|, (?:who|whose|his|her|my|their) )"
)
"""What stands behind the name of a person."""
AGE: Final = r"^(?:, | \(|, aged? | aged? )[1-9][0-9]?(?:[,;.)]| ?y| ?[MFmf]\b)"
"""An age behind a name."""
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
HAN_GIVEN: Final = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂华建国文辉玲玉红梅春晓燕志鹏飞鑫波斌宇浩凯婷雪琳晶莹洁琴云莲真环荣爱妹香"
    "月媛瑞凡佳嘉琼勤珍贞莉青倩颖露瑶怡婵雁蓓纨仪荷丹蓉眉君蕊薇菁梦岚苑婕馨瑗琰韵融园艺咏卿聪澜纯毓悦昭冰爽琬茗羽希宁欣飘滢馥"
    "筠柔竹霭凝欢枫芸菲寒伊亚宜姬舒影荔枝思嫦璧璐娅琦晴妍茜珊莎锦黛岩俊峰健世广义兴良海山仁贵福生龙元全胜学祥才发武新利清彬富"
    "顺信子昌成康星光天达安中茂进林有坚和彪博诚先敬震振壮会群豪心邦承乐绍功松善厚庆民友裕河哲江亮政谦亨奇固之轮翰朗伯宏言鸣朋"
    "梁栋维启克伦翔旭士家致树炎德泰盛雄琛钧冠策腾榕风航弘涵晨轩昊睿泽梓诗雨萱奕辰铭皓瀚逸煜骏霖烨彤悠语桐妙芷芊沐沁曦柠楠婉淑"
    "惠珠翠雅芝萍芬黎彩秋菊凤巧美娥姣慧璇佩蕾舟雯珂珺苒莺娇媚冬夏楚岳峻峥嵘远征舰帆沛润泓滨渊洲源淳渝深潇潮澄浚炜炳焕熙焱煊灿"
    "烁烽熠培基垚坤城垒埔增墨圣庚廷延彦彰律忠恒恩恺悟慎懋扬挺捷拓敦斯昕昱晖晟晗景智暄曜朔杉权材柏柯栩桓棋棠森楷槐樟正殿毅沅沣"
    "泉泳洪浦涌淇淮添湘溪滔漫珩珏珲理琪瑀瑜瑾璟璞甫用男畅登皎盈省睦石磐祁祖祺禄禹秉科秦稷穆立章竣端笑符箫纬绪继纲绮缘罡耀聆肖"
    "胤臻舜芮芯芹苇苗茵茹草荃莘菡菱萌萧葵蓝蔓蔚薪藜虎虹蝶衡裴襄西誉谊谱谷豫贝贤赫起越跃路轶轲辛迅迈迪逊通途逢逵道遥郁郎都里野"
    "金鉴钊钢钦铁铮锋锐镇镕镜长闻阳陆陶隽雷霄霆霏靖韬韶顾颂颐颜飒首驰骁骥高魁鲁鸿鹂鹃鹤鹰麒麟齐叔宝"
)
"""Characters that given names are often made of (general knowledge, not a published list)."""
HAN_TIMES: Final = "(?:今[日天晨晚早]|昨[日天晚]|明[日天]|[上下]午|[早晚]上|[时分日点]，?)"
HAN_PREPOSITIONS: Final = (
    "(?:由|请|与|和|向|经|据|对|给|让|被|同|及|跟|找|问|通知|感谢|联系|致电|转告|告知|询问|陪同|委托|代表|之[妻夫子女]|其[妻夫子女母父兄姐弟妹]"
    "|一助|二助|复核|审核|批准|主持|记录|经办|老|小|阿)"
)
HAN_FOLLOWS: Final = (
    "(?:今[日天晨晚早]|昨[日天晚]|自[述诉觉]|主?诉|自?称|说|表示|反映|要求|认为|回忆|询问|来[电院诊]|致电|复诊|就诊|出院|入院|住院|转院|离[职世开]|入职"
    "|请[假病求]|参加|到[场院]|出庭|签[字署名]|代[签领诉]|陪[同诊]|主[持刀]|记录|审[批核]|批准|通过|确认|同意|拒绝|未[到收能]|已[到经故签婚离]|术[后前]|体[健温检]"
    "|咳嗽|发[热烧]|腹痛|头[痛晕]|患[有者]?|因|于|在|的|与|和|及|同学|同[住行]|住|呼叫|投诉|退休|[0-9]{1,3}岁)"
)
"""What stands behind a person in a sentence."""
HAN_SOUNDS: Final = (
    "阿艾安巴贝比布达丹德迪蒂杜多尔恩法菲弗戈格古哈赫卡凯克库拉莱兰勒雷丽莉利琳卢鲁罗洛玛迈曼梅米姆娜纳妮尼诺努帕佩普奇茜乔热"
    "萨塞莎舍斯苏塔泰特提图托瓦威维沃乌西希夏谢雅亚娅伊扎珠卓吉买木孜依吐合江提力扎顿措嘎桑央金旺次仁嘉班觉其日呼和云其斡敖登"
)
"""Characters that write the sounds of names in other languages."""
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
    r"|签名人|祖[父母]|外[公婆]|爷爷|奶奶|姥[姥爷]|[叔伯舅姑姨婶][叔伯舅姑姨父母妈]|[表堂][哥姐弟妹兄]|儿媳|女婿|外?孙[子女]|[岳公婆继养][父母婆]|嫂子|[弟妹][媳夫]|姐夫"
    r"|老师|班主任|校长|同学|学生|考生|[舍室队战]友|律师|法官|经理|主管|员工|职工|会计|出纳|司机|技师|药师|队长|院长|主任|教授|博士|实习生|快递员|房东|租客|业主"
    r"|申请人|[被原]告|上诉人|投保人|受益人|法人|代[理表]人|负责人|经办人|当事人|证人|嫌疑人|旅客|乘客|用户|客户|会员|顾客|店主|留学生|病友|护工|保姆|家长"
    r"|麻醉医[师生]|代办人|挂失人|持卡人|户主|住户|居民|村民|监护人|见证人)(?:[:：为是叫名系]|\s)*"
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
