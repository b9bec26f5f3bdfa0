package pdfium

// function numbers an exported function of the module.
type function int

// The functions in use; functionNames has their names in the module.
const (
	fnMalloc function = iota
	fnFree
	fnInitLibrary
	fnLoadCustomDocument
	fnCloseDocument
	fnGetLastError
	fnGetPageCount
	fnFileAccessCreate
	fnFileWriteCreate
	fnSaveAsCopy
	fnGetMetaText
	fnGetSecurityHandlerRevision
	fnCatalogGetLanguage
	fnCatalogIsTagged

	fnBookmarkGetFirstChild
	fnBookmarkGetNextSibling
	fnBookmarkGetTitle
	fnBookmarkGetDest
	fnBookmarkGetAction
	fnActionGetType
	fnActionGetDest
	fnActionGetURIPath
	fnDestGetDestPageIndex
	fnDestGetLocationInPage
	fnGetPageSizeByIndex

	fnLoadPage
	fnClosePage
	fnGetPageBoundingBox
	fnPageGetRotation
	fnPageCountObjects
	fnPageGetObject
	fnFormObjCountObjects
	fnFormObjGetObject
	fnPageObjGetType
	fnPageObjGetMatrix
	fnPageObjGetBounds
	fnPageObjGetFillColor
	fnPageObjGetStrokeColor
	fnPageObjGetStrokeWidth
	fnPageObjGetMarkedContentID
	fnPageObjHasTransparency
	fnPageObjSetIsActive
	fnPageObjGetClipPath
	fnClipPathCountPaths
	fnClipPathCountPathSegments
	fnClipPathGetPathSegment
	fnPathGetDrawMode
	fnPathCountSegments
	fnPathGetPathSegment
	fnPathSegmentGetPoint
	fnPathSegmentGetType
	fnPathSegmentGetClose
	fnImageObjGetImagePixelSize
	fnImageObjGetImageFilterCount
	fnImageObjGetImageFilter
	fnImageObjGetImageDataRaw

	fnTextLoadPage
	fnTextClosePage
	fnTextCountChars
	fnTextObjGetFont
	fnTextObjGetFontSize
	fnTextObjGetTextRenderMode
	fnFontGetBaseFontName
	fnFontGetFlags
	fnFontGetWeight
	fnFontGetItalicAngle
	fnFontGetIsEmbedded
	fnFontGetFontData

	fnPageGetAnnotCount
	fnPageGetAnnot
	fnPageCloseAnnot
	fnAnnotGetSubtype
	fnAnnotGetFlags
	fnAnnotSetFlags
	fnAnnotGetRect
	fnPageFlatten

	fnPageObjCountMarks
	fnPageObjGetMark
	fnMarkGetName
	fnStructTreeGetForPage
	fnStructTreeClose
	fnStructTreeCountChildren
	fnStructTreeGetChildAtIndex
	fnStructElementGetType
	fnStructElementGetAltText
	fnStructElementGetActualText
	fnStructElementGetLang
	fnStructElementCountChildren
	fnStructElementGetChildAtIndex
	fnStructElementGetChildMarkedContentID
	fnStructElementGetAttributeCount
	fnStructElementGetAttributeAtIndex
	fnStructAttrGetValue
	fnStructAttrGetType
	fnStructAttrGetNumberValue
	fnStructAttrGetStringValue
	fnStructAttrCountChildren
	fnStructAttrGetChildAtIndex

	fnLinkEnumerate
	fnLinkGetAction
	fnLinkGetAnnotRect
	fnLinkCountQuadPoints
	fnLinkGetQuadPoints

	fnBitmapCreateEx
	fnBitmapDestroy
	fnBitmapFillRect
	fnBitmapGetBuffer
	fnBitmapGetStride
	fnRenderPageBitmap
	fnRenderPageBitmapWithMatrix

	numFunctions
)

var functionNames = [numFunctions]string{
	fnMalloc:                     "malloc",
	fnFree:                       "free",
	fnInitLibrary:                "FPDF_InitLibrary",
	fnLoadCustomDocument:         "FPDF_LoadCustomDocument",
	fnCloseDocument:              "FPDF_CloseDocument",
	fnGetLastError:               "FPDF_GetLastError",
	fnGetPageCount:               "FPDF_GetPageCount",
	fnFileAccessCreate:           "FPDF_FILEACCESS_Create",
	fnFileWriteCreate:            "FPDF_FILEWRITE_Create",
	fnSaveAsCopy:                 "FPDF_SaveAsCopy",
	fnGetMetaText:                "FPDF_GetMetaText",
	fnGetSecurityHandlerRevision: "FPDF_GetSecurityHandlerRevision",
	fnCatalogGetLanguage:         "FPDFCatalog_GetLanguage",
	fnCatalogIsTagged:            "FPDFCatalog_IsTagged",

	fnBookmarkGetFirstChild:  "FPDFBookmark_GetFirstChild",
	fnBookmarkGetNextSibling: "FPDFBookmark_GetNextSibling",
	fnBookmarkGetTitle:       "FPDFBookmark_GetTitle",
	fnBookmarkGetDest:        "FPDFBookmark_GetDest",
	fnBookmarkGetAction:      "FPDFBookmark_GetAction",
	fnActionGetType:          "FPDFAction_GetType",
	fnActionGetDest:          "FPDFAction_GetDest",
	fnActionGetURIPath:       "FPDFAction_GetURIPath",
	fnDestGetDestPageIndex:   "FPDFDest_GetDestPageIndex",
	fnDestGetLocationInPage:  "FPDFDest_GetLocationInPage",
	fnGetPageSizeByIndex:     "FPDF_GetPageSizeByIndexF",

	fnLoadPage:                    "FPDF_LoadPage",
	fnClosePage:                   "FPDF_ClosePage",
	fnGetPageBoundingBox:          "FPDF_GetPageBoundingBox",
	fnPageGetRotation:             "FPDFPage_GetRotation",
	fnPageCountObjects:            "FPDFPage_CountObjects",
	fnPageGetObject:               "FPDFPage_GetObject",
	fnFormObjCountObjects:         "FPDFFormObj_CountObjects",
	fnFormObjGetObject:            "FPDFFormObj_GetObject",
	fnPageObjGetType:              "FPDFPageObj_GetType",
	fnPageObjGetMatrix:            "FPDFPageObj_GetMatrix",
	fnPageObjGetBounds:            "FPDFPageObj_GetBounds",
	fnPageObjGetFillColor:         "FPDFPageObj_GetFillColor",
	fnPageObjGetStrokeColor:       "FPDFPageObj_GetStrokeColor",
	fnPageObjGetStrokeWidth:       "FPDFPageObj_GetStrokeWidth",
	fnPageObjGetMarkedContentID:   "FPDFPageObj_GetMarkedContentID",
	fnPathGetDrawMode:             "FPDFPath_GetDrawMode",
	fnPathCountSegments:           "FPDFPath_CountSegments",
	fnPathGetPathSegment:          "FPDFPath_GetPathSegment",
	fnPathSegmentGetPoint:         "FPDFPathSegment_GetPoint",
	fnPathSegmentGetType:          "FPDFPathSegment_GetType",
	fnPathSegmentGetClose:         "FPDFPathSegment_GetClose",
	fnImageObjGetImagePixelSize:   "FPDFImageObj_GetImagePixelSize",
	fnImageObjGetImageFilterCount: "FPDFImageObj_GetImageFilterCount",
	fnImageObjGetImageFilter:      "FPDFImageObj_GetImageFilter",
	fnImageObjGetImageDataRaw:     "FPDFImageObj_GetImageDataRaw",
	fnPageObjHasTransparency:      "FPDFPageObj_HasTransparency",
	fnPageObjSetIsActive:          "FPDFPageObj_SetIsActive",
	fnPageObjGetClipPath:          "FPDFPageObj_GetClipPath",
	fnClipPathCountPaths:          "FPDFClipPath_CountPaths",
	fnClipPathCountPathSegments:   "FPDFClipPath_CountPathSegments",
	fnClipPathGetPathSegment:      "FPDFClipPath_GetPathSegment",

	fnTextLoadPage:             "FPDFText_LoadPage",
	fnTextClosePage:            "FPDFText_ClosePage",
	fnTextCountChars:           "FPDFText_CountChars",
	fnTextObjGetFont:           "FPDFTextObj_GetFont",
	fnTextObjGetFontSize:       "FPDFTextObj_GetFontSize",
	fnTextObjGetTextRenderMode: "FPDFTextObj_GetTextRenderMode",
	fnFontGetBaseFontName:      "FPDFFont_GetBaseFontName",
	fnFontGetFlags:             "FPDFFont_GetFlags",
	fnFontGetWeight:            "FPDFFont_GetWeight",
	fnFontGetItalicAngle:       "FPDFFont_GetItalicAngle",
	fnFontGetIsEmbedded:        "FPDFFont_GetIsEmbedded",
	fnFontGetFontData:          "FPDFFont_GetFontData",

	fnPageGetAnnotCount: "FPDFPage_GetAnnotCount",
	fnPageGetAnnot:      "FPDFPage_GetAnnot",
	fnPageCloseAnnot:    "FPDFPage_CloseAnnot",
	fnAnnotGetSubtype:   "FPDFAnnot_GetSubtype",
	fnAnnotGetFlags:     "FPDFAnnot_GetFlags",
	fnAnnotSetFlags:     "FPDFAnnot_SetFlags",
	fnAnnotGetRect:      "FPDFAnnot_GetRect",
	fnPageFlatten:       "FPDFPage_Flatten",

	fnPageObjCountMarks:                    "FPDFPageObj_CountMarks",
	fnPageObjGetMark:                       "FPDFPageObj_GetMark",
	fnMarkGetName:                          "FPDFPageObjMark_GetName",
	fnStructTreeGetForPage:                 "FPDF_StructTree_GetForPage",
	fnStructTreeClose:                      "FPDF_StructTree_Close",
	fnStructTreeCountChildren:              "FPDF_StructTree_CountChildren",
	fnStructTreeGetChildAtIndex:            "FPDF_StructTree_GetChildAtIndex",
	fnStructElementGetType:                 "FPDF_StructElement_GetType",
	fnStructElementGetAltText:              "FPDF_StructElement_GetAltText",
	fnStructElementGetActualText:           "FPDF_StructElement_GetActualText",
	fnStructElementGetLang:                 "FPDF_StructElement_GetLang",
	fnStructElementCountChildren:           "FPDF_StructElement_CountChildren",
	fnStructElementGetChildAtIndex:         "FPDF_StructElement_GetChildAtIndex",
	fnStructElementGetChildMarkedContentID: "FPDF_StructElement_GetChildMarkedContentID",
	fnStructElementGetAttributeCount:       "FPDF_StructElement_GetAttributeCount",
	fnStructElementGetAttributeAtIndex:     "FPDF_StructElement_GetAttributeAtIndex",
	fnStructAttrGetValue:                   "FPDF_StructElement_Attr_GetValue",
	fnStructAttrGetType:                    "FPDF_StructElement_Attr_GetType",
	fnStructAttrGetNumberValue:             "FPDF_StructElement_Attr_GetNumberValue",
	fnStructAttrGetStringValue:             "FPDF_StructElement_Attr_GetStringValue",
	fnStructAttrCountChildren:              "FPDF_StructElement_Attr_CountChildren",
	fnStructAttrGetChildAtIndex:            "FPDF_StructElement_Attr_GetChildAtIndex",

	fnLinkEnumerate:       "FPDFLink_Enumerate",
	fnLinkGetAction:       "FPDFLink_GetAction",
	fnLinkGetAnnotRect:    "FPDFLink_GetAnnotRect",
	fnLinkCountQuadPoints: "FPDFLink_CountQuadPoints",
	fnLinkGetQuadPoints:   "FPDFLink_GetQuadPoints",

	fnBitmapCreateEx:             "FPDFBitmap_CreateEx",
	fnBitmapDestroy:              "FPDFBitmap_Destroy",
	fnBitmapFillRect:             "FPDFBitmap_FillRect",
	fnBitmapGetBuffer:            "FPDFBitmap_GetBuffer",
	fnBitmapGetStride:            "FPDFBitmap_GetStride",
	fnRenderPageBitmap:           "FPDF_RenderPageBitmap",
	fnRenderPageBitmapWithMatrix: "FPDF_RenderPageBitmapWithMatrix",
}
